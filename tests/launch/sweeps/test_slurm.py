"""Batch scripts: their text, word for word; bash takes them; and what their tasks play is the whole sweep."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.sweeps.files import write

GOLDEN = """\
#!/bin/bash
#SBATCH --job-name=dfedsam-small
#SBATCH --array=0-3%2
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=2
#SBATCH --partition=cpu
#SBATCH --time=2:00:00
#SBATCH --account=physics
#SBATCH --output=HERE/studies/small/logs/slurm-%A_%a.out
#SBATCH --chdir=HERE
#SBATCH --signal=USR1@120
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --mem=8G

module load gcc/13
source .venv/bin/activate
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
RUN HERE/studies/small --ranks 4 --only "$SLURM_ARRAY_TASK_ID"
status=$?
if [ "$status" -eq 75 ]; then  # it ran out of time and has saved: requeue it
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$status"
"""
SECTION = {"modules": ["gcc/13"], "setup": ["source .venv/bin/activate"], "options": ["--mem=8G"], "cpus_per_rank": 2}


def check(script: str) -> None:
    """Whether bash can read it."""
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_the_script_word_for_word(dfedsam):
    sweep = write(
        grid={"topology": ["ring", "star"]}, seeds=2, slurm=SECTION | {"partition": "gpu", "launcher": "mpich"}
    )
    options = "--slurm --dry-run --partition cpu --ranks 4 --time 2:00:00 --account physics --jobs 2"
    said = dfedsam("sweep", sweep, *options.split())
    assert said.status == 0
    run = f"srun --kill-on-bad-exit=1 --cpus-per-task=2 --mpi=pmi2 {sys.executable} -m dfedsam.launch.cli sweep"
    assert said.out == GOLDEN.replace("HERE", str(Path.cwd())).replace("RUN", run)
    assert not Path("studies").exists()
    check(said.out)


@pytest.mark.parametrize(
    ("ranks", "launcher", "start"),
    [
        ("1", "mpich", "srun --kill-on-bad-exit=1 --cpus-per-task=1 --mpi=none PYTHON"),
        ("4", "openmpi", "mpirun -n 4 PYTHON"),
        ("4", "srun --mpi=pmix", "srun --kill-on-bad-exit=1 --cpus-per-task=1 --mpi=pmix PYTHON"),
        ("4", "mpiexec.hydra -n {ranks}", "mpiexec.hydra -n 4 PYTHON"),
    ],
)
def test_each_kind_of_mpi_has_its_launcher(dfedsam, ranks, launcher, start):
    said = dfedsam("sweep", write(), "--slurm", "--dry-run", "--ranks", ranks, "--launcher", launcher)
    assert f"\n{start}".replace("PYTHON", sys.executable) in said.out
    # srun tells the ranks; a launcher inside the batch script is told by the script, which gets the signal alone
    assert ("--signal=USR1@120" in said.out) == start.startswith("srun")
    assert ("--signal=B:USR1@120" in said.out) == (not start.startswith("srun"))
    check(said.out)


@pytest.mark.parametrize(("time", "seconds"), [("4", 60), ("0:40", 10), ("1-0", 120), ("0:08:00", 120), ("0-0:01", 15)])
def test_a_short_task_is_told_in_time(dfedsam, time, seconds):
    assert f"--signal=USR1@{seconds}\n" in dfedsam("sweep", write(), "--slurm", "--dry-run", "--time", time).out


def test_what_is_submitted_plays_what_is_missing(dfedsam, monkeypatch, tmp_path):
    sbatch = tmp_path / "bin/sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text('#!/bin/bash\n[ "$1" = --parsable ] && bash -n "$2" && echo "17;cluster"\n')
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sbatch.parent}:/usr/bin:/bin")
    sweep = write(grid={"topology": ["ring", "star", "grid"]})
    assert dfedsam("sweep", sweep, "--only", "1").status == 0
    said = dfedsam("sweep", sweep, "--slurm", "--time", "10")
    assert (said.status, said.out) == (0, "submitted job 17: 2 runs; see dfedsam status studies/small\n")
    script = Path("studies/small/sweep.sbatch").read_text()
    assert "#SBATCH --array=0,2\n" in script
    words = re.search(r"launch\.cli (sweep .*) --only", script)
    assert words is not None
    for number in "02":
        assert dfedsam(*words[1].split(), "--only", number).status == 0
    assert "3 runs: 3 done" in dfedsam("status", "studies/small").out
    assert dfedsam("sweep", sweep, "--slurm").out == "all runs are done: nothing was submitted\n"
    scontrol = sbatch.with_name("scontrol")
    scontrol.write_text('#!/bin/bash\necho "MaxArraySize            = 4"\n')
    scontrol.chmod(0o755)
    many = write(seeds=9)
    assert dfedsam("sweep", many, "--out", "many", "--only", "5").status == 0
    assert dfedsam("sweep", many, "--slurm", "--out", "many").out.startswith("submitted job 17, 17, 17: 8 runs")
    texts = [Path("many", name).read_text() for name in ("sweep.sbatch", "sweep-2.sbatch", "sweep-3.sbatch")]
    assert [re.search("--array=(.*)", text)[1] for text in texts] == ["0-3", "0,2-3", "0"]
    assert '--only "$SLURM_ARRAY_TASK_ID"' in texts[0]
    assert '--only "$((4 + SLURM_ARRAY_TASK_ID))"' in texts[1]
    assert '--only "$((8 + SLURM_ARRAY_TASK_ID))"' in texts[2]
    sbatch.write_text('#!/bin/bash\necho "invalid partition" >&2; exit 1\n')
    said = dfedsam("sweep", write(seeds=2), "--slurm", "--out", "other")
    assert said.status == 2
    assert "sbatch refused other/sweep.sbatch: invalid partition" in said.err

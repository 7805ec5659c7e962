"""Runs, and what is said of them: folders, tables, resuming, the figures of a graph, drawings."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from numpy.polynomial.chebyshev import chebval

from dfedsam import phases
from dfedsam.callbacks.progress import Lines, duration, size
from dfedsam.launch import commands
from tests.launch.command import SMALL, metrics


def test_a_run_writes_its_folder_and_says_so(dfedsam):
    said = dfedsam("run", *SMALL, "--out", "runs/a")
    assert (said.status, said.err) == (0, "")
    assert len(metrics("runs/a")) == 4
    for name in ("config.yaml", "topology.json", "metrics.jsonl", "checkpoint.safetensors", "prompt.safetensors"):
        assert f"runs/a/{name}" in said.out
        assert (Path("runs/a") / name).is_file()
    assert re.search(r"^loss of the mean +\S+ +\S+$", said.out, re.MULTILINE)
    assert "round 3/3: loss" in said.out


def test_folders_are_fresh(dfedsam):
    for _ in range(2):
        assert dfedsam("run", *SMALL, "--topology", "torus", "--algorithm", "DPSGD").status == 0
    assert {path.name for path in Path("runs").iterdir()} == {"torus-dpsgd-1", "torus-dpsgd-2"}


@pytest.mark.parametrize(
    "argv",
    [
        (
            "--topology",
            "erdos_renyi",
            "--topology.p",
            "0.4",
            "--seed",
            "5",
            "--algorithm.estimator",
            "exact",
            "--cosine",
        ),
        (
            "--topology",
            "five.edgelist",
            "--algorithm",
            "DFedSAMMG",
            "--algorithm.gossip.steps",
            "2",
            "--dtype",
            "float64",
        ),
    ],
)
def test_the_written_settings_repeat_the_run(dfedsam, argv):
    Path("five.edgelist").write_text("0 1\n1 2\n2 3\n3 4\n")
    assert dfedsam("run", *SMALL, *argv, "--out", "a").status == 0
    assert dfedsam("run", "--config", "a/config.yaml", "--out", "b").status == 0
    assert metrics("a") == metrics("b")
    assert Path("a/config.yaml").read_text() == Path("b/config.yaml").read_text()


def test_a_run_made_longer_is_the_longer_run(dfedsam):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    assert dfedsam("resume", "a", "--rounds", "7").status == 0
    assert dfedsam("run", *SMALL, "--rounds", "7", "--out", "b").status == 0
    assert metrics("a") == metrics("b")


def test_a_run_until_a_later_second_is_the_longer_run(dfedsam):
    timed = [*SMALL, "--algorithm", "adsgd", "--clock.compute", "exponential", "--rounds", "1000"]
    assert dfedsam("run", *timed, "--until", "0.4", "--out", "a").status == 0
    assert dfedsam("resume", "a", "--until", "0.9").status == 0
    assert dfedsam("run", *timed, "--until", "0.9", "--out", "b").status == 0
    assert metrics("a") == metrics("b")
    assert Path("a/config.yaml").read_text() == Path("b/config.yaml").read_text()


def test_a_checkpoint_that_is_cut_short(dfedsam):
    dfedsam("run", *SMALL, "--out", "a")
    path = Path("a/checkpoint.safetensors")
    path.write_bytes(path.read_bytes()[:-7])
    said = dfedsam("resume", "a", "--rounds", "5")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "checkpoint.safetensors" in said.err


def test_a_checkpoint_of_another_experiment(dfedsam):
    dfedsam("run", *SMALL, "--out", "a")
    config = Path("a/config.yaml")
    config.write_text(config.read_text().replace("rho: 0.05", "rho: 0.06"))
    said = dfedsam("resume", "a", "--rounds", "5")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "another experiment" in said.err


def test_other_settings_stay_on_resuming(dfedsam):
    dfedsam("run", *SMALL, "--out", "a")
    said = dfedsam("resume", "a", "--algorithm.lr", "3")
    assert said.status == 2
    assert "--algorithm.lr is not an option: there are folder, rounds" in said.err


def test_a_loss_that_is_not_finite_stops_the_run(dfedsam):
    said = dfedsam("run", "--algorithm.lr", "1e30", "--out", "a")
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert re.search(r"round \d+.* peers 0, .*not finite.*checkpoint is kept in a", said.err)
    assert Path("a/checkpoint.safetensors").is_file()


def test_a_biased_topology_is_said_to_be_so_once(dfedsam, monkeypatch):
    argv = ("run", *SMALL, "--topology", "star", "--topology.weights", "uniform")
    said = dfedsam(*argv, "--out", "a")
    assert (said.status, said.err.count("\n")) == (0, 1)
    assert "note: this topology is biased" in said.err
    assert "biased" in dfedsam("resume", "a", "--rounds", "4").err
    monkeypatch.setenv("DFEDSAM_RANKS", "1")  # as a rank that the command has started, which says nothing itself
    assert dfedsam(*argv, "--out", "b").err.count("biased:") == 1
    refused = dfedsam(*argv, "--objective", "prompt_tuning", "--objective.data", "none.csv", "--out", "c")
    assert refused.err.count("\n") == 1  # no note before an error


def test_drawings(dfedsam):
    for name in ("ring", "base"):
        assert dfedsam("topology", name, "--draw", f"{name}.png").out.endswith(f"{name}.png\n")
    assert dfedsam("run", *SMALL, "--out", "a", "--figure").status == 0
    assert dfedsam("plot", "a", "--out", "figure.png").status == 0
    assert all(Path(name).stat().st_size > 1000 for name in ("base.png", "a/convergence.png", "figure.png"))


def test_plain_lines_come_now_and_then(capsys):
    lines = Lines(every=1000)
    for t in range(6):
        row = {"loss": 0.5, "accuracy": 0.61, "consensus_distance": 0, "queries": t, "bytes": 12300}
        lines.show(t, 5, None if t == 3 else row)
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("round 0/5: loss 0.5, accuracy 61.0%")
    assert last.startswith("round 5/5")


def test_long_phases_are_shown_with_their_time(capsys):
    lines = Lines(every=0)
    with phases.listening(lines.phase):
        for _ in phases.track("embedding texts", range(2)):
            pass
        phases.report("evaluating")
        phases.progress(5, 10)
        phases.report("")
        phases.progress(6, 10)
    shown = re.sub(r", 0:0. left", "", capsys.readouterr().out).splitlines()
    assert shown[:3] == ["embedding texts: 0 of 2", "embedding texts: 1 of 2", "embedding texts: 2 of 2"]
    assert shown[3:] == ["evaluating …", "evaluating: 5 of 10"]


def test_a_live_bar_where_a_terminal_lies_behind(dfedsam, monkeypatch):
    monkeypatch.setenv("DFEDSAM_TERMINAL", "80")
    said = dfedsam("run", *SMALL, "--out", "a")
    assert (said.status, said.err) == (0, "")
    assert "round 3/3" in said.out
    assert "\x1b[" in said.out


def test_quantities():
    assert (duration(7), duration(754), duration(3723)) == ("0:07", "12:34", "1:02:03")
    assert (size(0), size(512), size(12_300), size(4_560_000)) == ("0 B", "512 B", "12.3 kB", "4.56 MB")


def test_what_should_be_known_is_said_once(dfedsam):
    said = dfedsam("run", "--algorithm", "D2", "--peers", "8", "--rounds", "1").err
    assert said.startswith("dfedsam: note: D2 mixes with (I + W)/2: it needs a smallest eigenvalue above −1/3")
    assert said.count("\n") == 1
    biased = dfedsam("run", *SMALL, "--topology", "star", "--topology.weights", "uniform").err
    assert biased.startswith("dfedsam: note: this topology is biased")


@pytest.mark.parametrize(
    ("gossip", "topology", "line"),
    [
        ("plain", "ring", r"plain, Q = 4: λ_Q = 0\.419$"),
        ("chebyshev", "ring", r"chebyshev, Q = 4: λ_Q = 0\.0793 \(plain: 0\.419\)$"),
        ("finite_time", "ring", r"finite_time, Q = 4: λ_Q = 0 \(plain: 0\.419\)$"),
        (
            "choco",
            "ring",
            r"choco, Q = 4: measured contraction 0\.\d+ \(plain: λ_Q = 0\.419\)$",
        ),
        ("flood", "ring", r"flood, Q = 4: all peers know an update after 1 round$"),
        ("plain", "one_peer_exponential", r"plain, Q = 4: λ_Q = 0$"),
    ],
)
def test_how_fast_its_gossip_mixes_is_said(dfedsam, gossip, topology, line):
    argv = ("--algorithm", "DFedSAMMG", "--algorithm.gossip", gossip, "--topology", topology, "--peers", "8")
    said = dfedsam("run", *SMALL, *argv, "--out", "a")
    assert re.search(f"^gossip: {line}", said.out, re.MULTILINE), said.out
    mixing = json.loads(Path("a/topology.json").read_text())["gossip"]
    low, high = -1 / 3, (1 + 2 * math.cos(math.pi / 4)) / 3
    if gossip == "chebyshev":
        assert mixing["lambda_q"] == pytest.approx(1 / chebval((2 - low - high) / (high - low), [0, 0, 0, 0, 1]))
    if topology == "ring":
        assert mixing["plain"] == pytest.approx(high**4)
    assert re.search(f"^gossip: {line}", dfedsam("resume", "a", "--rounds", "5").out, re.MULTILINE)


def test_a_gamma_that_is_too_large_ends_the_run_and_is_named(dfedsam):
    argv = ("--algorithm.gossip", "choco", "--algorithm.gossip.gamma", "1.5", "--rounds", "400")
    said = dfedsam("run", *argv, "--evaluate_every", "400", "--out", "a")
    assert (said.status, said.err.count("\n")) == (1, 2)
    assert said.err.startswith("dfedsam: note: ")
    assert re.search(r"round \d+, gossip choco, .* gamma is 1.5: choose a smaller one, or the gamma tuned", said.err)


def test_attackers_and_what_a_rule_assumes_of_them_are_said(dfedsam):
    line = (
        "run --topology torus --peers 16 --rounds 1 --algorithm dpsgd --adversary sign_flip --adversary.peers [1,4,6]"
    )
    robust = dfedsam(*line.split(), "--algorithm.gossip", "nna", "--out", "a")
    assert "note: 3 of the 4 neighbours of peer 5 attack, and nna assumes at most 1" in robust.err
    assert "\nattack: sign_flip by peers 1, 4, 6; metrics are of the other 13\n" in robust.out
    assert "note:" not in dfedsam(*line.split(), "--out", "b").err, "plain gossip assumes nothing"


def test_quiet_and_verbose(dfedsam):
    said = dfedsam("run", *SMALL, "--topology", "star", "--topology.weights", "uniform", "--quiet", "--out", "a")
    assert said == (0, "", "")
    said = dfedsam("resume", "a", "--rounds", "5", "--verbose")
    assert re.search(r"^round 5/5: queries \d+, bytes .*, loss .*, consensus_distance ", said.out, re.MULTILINE)
    assert dfedsam("run", "--quiet", "--verbose").err.endswith("must not be given with --verbose; give one of them\n")


def test_a_closed_pipe_ends_a_command_quietly(tmp_path):
    program = [sys.executable, "-c", "import sys; from dfedsam.launch.cli import main; sys.exit(main())"]
    command = [*program, "run", *SMALL, "--out", "a"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert job.stderr is not None
        job.stdout.close()
        said = job.stderr.read()
    assert (job.returncode, said) == (141, "")


def test_a_report_that_is_being_written_is_not_written_twice(dfedsam):
    dfedsam("run", *SMALL, "--out", "a")
    with commands._sole_writer(Path("a/report")):
        said = dfedsam("report", "a")
    assert said.status == 2
    pattern = r"dfedsam report: a/report: process \d+ is writing it; wait until it ends, or stop it\n"
    assert re.fullmatch(pattern, said.err)

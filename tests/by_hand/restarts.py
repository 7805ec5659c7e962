"""Kills random ranks of a run with kill -9, and compares what `--restarts` makes of it with a run that was let alone.

    python -m tests.by_hand.restarts [--trials 30] [--ranks 3] [--rounds 240] [--seed 0]

Each trial starts `dfedsam run --ranks N --restarts 2`, kills one or two random ranks at random rounds, and compares the
metrics (without the clock's) and the models of all peers bit for bit. The exit status is the number of trials that
differ. It is no test, because it takes minutes.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from tests.mpi import ranks_in

PROGRAM = [sys.executable, "-m", "dfedsam.launch.cli"]
OPTIONS = ("--peers", "8", "--checkpoint_every", "10", "--objective.dim", "20", "--quiet")


def main() -> int:
    """Run all trials, and return how many differ."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("trials", 30), ("ranks", 3), ("rounds", 240), ("seed", 0)):
        asked.add_argument(f"--{name}", type=int, default=usual)
    options = asked.parse_args()
    dice, bad, kills = random.Random(options.seed), 0, 0
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        run = ["run", *OPTIONS, "--rounds", str(options.rounds), "--out"]
        subprocess.run([*PROGRAM, *run, "whole"], cwd=folder, check=True)
        for trial in range(options.trials):
            moments = sorted(dice.randrange(options.rounds - 10) for _ in range(dice.choice((1, 2))))
            ranks = [*run, f"t{trial}", "--ranks", str(options.ranks), "--restarts", "2"]
            job = subprocess.Popen([*PROGRAM, *ranks], cwd=folder, stderr=subprocess.PIPE, text=True)
            killed = sum(kill_one(folder, folder / f"t{trial}", moment, job, dice) for moment in moments)
            _, said = job.communicate(timeout=300)
            same = job.returncode == 0 and is_same(folder / f"t{trial}", folder / "whole")
            bad, kills = bad + (not same), kills + killed
            print(f"trial {trial + 1}: {killed} killed at {moments}: {'the same bits' if same else 'DIFFERS ' + said}")
    print(f"{options.trials} trials, {kills} ranks killed, {bad} differ")
    return bad


def kill_one(folder: Path, run: Path, moment: int, job: subprocess.Popen[str], dice: random.Random) -> bool:
    """Kill a random rank once the run has evaluated this round; return whether one was there."""
    while rounds(run) <= moment and job.poll() is None:
        time.sleep(0.01)
    here = ranks_in(folder)
    if not here:
        return False
    os.kill(dice.choice(here), signal.SIGKILL)
    time.sleep(0.5)  # so that the next moment is that of the run that goes on
    return True


def rounds(run: Path) -> int:
    """Evaluations of a run so far."""
    metrics = run / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.is_file() else 0


def is_same(run: Path, whole: Path) -> bool:
    """Whether two runs have the same metrics and models."""
    rows = [[json.loads(line) for line in (one / "metrics.jsonl").read_text().splitlines()] for one in (run, whole)]
    without = [[{key: value for key, value in row.items() if key != "seconds"} for row in some] for some in rows]
    x = [load_file(one / "checkpoint.safetensors")["x"] for one in (run, whole)]
    return without[0] == without[1] and np.array_equal(x[0].view(np.uint8), x[1].view(np.uint8))


if __name__ == "__main__":
    sys.exit(main())

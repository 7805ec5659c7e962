"""Compares what `dfedsam plan` forecasts with runs: queries and bytes must be equal, times within a quarter.

    python -m tests.by_hand.forecast [--whole]

Each case is planned and run on 1 and 2 ranks: 96 rounds of the demo (all of them with --whole), a run whose gossip is
compressed, and the study topology_ablation, of whose runs 1 or 2 go at a time. About four minutes on two cores that do
nothing else; a busy machine's times say little. The exit status is the number of numbers that are off. Tokens and
requests, evaluations included, are compared exactly in tests/dfedsam/test_forecast.py and test_endpoint.py.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = [sys.executable, "-m", "dfedsam.launch.cli"]
COMPRESSED = (
    "--peers 16 --topology ring --objective logistic_regression --algorithm dpsgd --algorithm.lr 0.05"
    " --algorithm.estimator.directions 4 --algorithm.gossip choco --algorithm.gossip.compressor qsgd"
    " --rounds 8000 --evaluate_every 100"
)
STUDY = "topology_ablation.yaml"
ALLOWED = 0.25


def main() -> int:
    """Make the table, and return how many numbers are off."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--whole", action="store_true", help="all rounds of the demo")
    rounds = "" if asked.parse_args().whole else " --rounds 96"
    print(f"{'case':<20}{'ranks':>6}{'queries':>12}{'run':>12}{'bytes':>15}{'run':>15}{'seconds':>9}{'run':>8}")
    wrong = 0
    with tempfile.TemporaryDirectory() as text:
        for case, line in {"demo": f"--config demo.yaml{rounds}", "compressed": COMPRESSED}.items():
            for ranks in (1, 2):
                wrong += compare(case, ranks, *one_run(line.split(), ranks, Path(text) / f"{case}-{ranks}"))
        for jobs in (1, 2):
            wrong += compare(f"ablation, {jobs} at once", 1, *study(jobs, Path(text)))
    return wrong


def one_run(line: list[str], ranks: int, out: Path) -> tuple[dict[str, float], dict[str, float]]:
    """What is forecast of a run, and what it took."""
    options = [*line, "--ranks", str(ranks)]
    plan = json.loads(call("plan", *options, "--json", cwd=out.parent))
    seconds = timed("run", *options, "--quiet", "--out", str(out), cwd=out.parent)
    return plan, {"seconds": seconds, **totals([out])}


def study(jobs: int, folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """What is forecast of a study whose runs go `jobs` at a time, and what it took."""
    plan = json.loads(call("plan", STUDY, "--json", cwd=folder))
    plan["seconds"] /= jobs
    out = folder / f"study-{jobs}"
    seconds = timed("sweep", STUDY, "--jobs", str(jobs), "--out", str(out), cwd=folder)
    return plan, {"seconds": seconds, **totals([path.parent for path in out.rglob("metrics.jsonl")])}


def totals(folders: list[Path]) -> dict[str, float]:
    """Queries and bytes of all peers of all these runs."""
    found = {"queries": 0.0, "bytes": 0.0}
    for folder in folders:
        last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
        peers = len(json.loads((folder / "topology.json").read_text())["nodes"])
        for name in found:
            found[name] += round(last[name] * peers)
    return found


def compare(case: str, ranks: int, plan: dict[str, float], took: dict[str, float]) -> int:
    """Print a row, and return how many of its numbers are off."""
    off = {name: plan[name] != took[name] for name in ("queries", "bytes")}
    off["seconds"] = abs(plan["seconds"] / took["seconds"] - 1) > ALLOWED
    counts = f"{plan['queries']:>12,.0f}{took['queries']:>12,.0f}{plan['bytes']:>15,.0f}{took['bytes']:>15,.0f}"
    times = f"{plan['seconds']:>9.1f}{took['seconds']:>8.1f}"
    print(f"{case:<20}{ranks:>6}{counts}{times}  {', '.join(name for name in off if off[name])}", flush=True)
    return sum(off.values())


def timed(*argv: str, cwd: Path) -> float:
    """Seconds that a command takes."""
    began = time.perf_counter()
    call(*argv, cwd=cwd)
    return time.perf_counter() - began


def call(*argv: str, cwd: Path) -> str:
    """What a command prints."""
    return subprocess.run([*PROGRAM, *argv], cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())

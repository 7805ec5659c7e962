"""By hand: 512 peers on 64 ranks of this machine, against one process: the same bits.

    python tests/by_hand/many_ranks.py [--ranks 64] [--peers 512]

It takes a few minutes on two cores: MPI's ranks wait in busy loops for each other.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
from tests.mpi import environment  # noqa: E402

OPTIONS = ["--topology", "random_regular", "--objective", "quadratic", "--objective.dim", "256"]
OPTIONS += ["--algorithm", "dfedsam_mg", "--rounds", "20", "--quiet"]


def play(folder: Path, ranks: int, peers: int) -> np.ndarray:
    """The models of a run on so many ranks."""
    began, out = time.perf_counter(), folder / f"on_{ranks}"
    command = [sys.executable, "-m", "dfedsam.launch.cli", "run", "--peers", str(peers), *OPTIONS, "--out", str(out)]
    command += ["--ranks", str(ranks)] if ranks > 1 else []
    subprocess.run(command, check=True, cwd=folder, env=environment(ranks), timeout=1800)
    print(f"{ranks} ranks: {time.perf_counter() - began:.1f} s")
    return load_file(out / "checkpoint.safetensors")["x"]


def main() -> int:
    """Compare; exit status 1 where they differ."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("ranks", 64), ("peers", 512)):
        asked.add_argument(f"--{name}", type=int, default=usual)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as text:
        one, many = (play(Path(text), ranks, options.peers) for ranks in (1, options.ranks))
    same = np.array_equal(one.view(np.uint8), many.view(np.uint8))
    print("the same bits" if same else "DIFFERENT")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())

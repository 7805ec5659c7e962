"""How long a user waits: the help, and a small run, against Python importing what they stand on."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import Row, seconds
from tests.mpi import environment

FLOOR = "import numpy, scipy.sparse, networkx, jsonargparse"
RUN = [
    "run",
    "--objective",
    "quadratic",
    "--topology",
    "ring",
    "--peers",
    "16",
    "--algorithm",
    "DPSGD",
    "--rounds",
    "10",
]


def run() -> list[Row]:
    """Whole processes, each in turn."""
    dfedsam = str(Path(sys.executable).with_name("dfedsam"))
    with tempfile.TemporaryDirectory() as folder:

        def command(*words: str):
            return lambda: subprocess.run(words, check=True, capture_output=True, cwd=folder, env=environment())

        commands = {
            "floor": command(sys.executable, "-c", FLOOR),
            "dfedsam --help": command(dfedsam, "--help"),
            "a 10-round quadratic run, 16 peers": command(dfedsam, *RUN),
        }
        took = seconds(commands, repeats=10)
    return [
        Row(
            what=what,
            floor=f'python -c "{FLOOR}"',
            ratio=took[what] / took["floor"],
            target=target,
            at_most=True,
            figures=f"{took[what]:.2f} against {took['floor']:.2f} s",
        )
        for what, target in [("dfedsam --help", 0.3), ("a 10-round quadratic run, 16 peers", 2)]
    ]

"""The scripts that are run by hand start, and say what they do."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(path.stem for path in ROOT.glob("tests/by_hand/*.py"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_explains_itself(script):
    job = subprocess.run(
        [sys.executable, "-m", f"tests.by_hand.{script}", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert job.returncode == 0, job.stderr
    assert f"{script}.py" in job.stdout.split("\n\n")[0]
    assert f"tests/by_hand/{script}.py" in job.stdout or f"tests.by_hand.{script}" in job.stdout, "how it is called"

"""What the documents show is run as a reader would run it: their Python, and the commands that need no data."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests import mpi
from tests.launch.command import process

ROOT = Path(__file__).parents[2]
PLUG_INS = (ROOT / "CONTRIBUTING.md").read_text()
README = (ROOT / "README.md").read_text()
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """What follows `dfedsam` on the indented lines of a document."""
    lines = re.findall(r"^ {4}(?:PYTHONPATH=\. )?dfedsam (.*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("command", commands(PLUG_INS), ids=" ".join)
def test_the_plug_ins_of_the_guide_play(tmp_path, command):
    names = re.findall(r"[Aa]s `(\w+\.py)`", PLUG_INS)
    for name, code in zip(names, PYTHON.findall(PLUG_INS), strict=True):
        (tmp_path / name).write_text(code)
    done = process(*command, cwd=tmp_path, env={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert done.returncode == 0, done.stderr


def test_the_python_of_the_readme_plays(tmp_path):
    (code,) = PYTHON.findall(README)
    done = mpi.run([sys.executable, "-c", code], 60, mpi.environment(), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "consensus_distance" in done.stdout


def test_the_first_commands_of_the_readme_play(tmp_path):
    first = README.split("## A first run of your own")[1].split("Your own data")[0]
    asked = commands(first)
    assert len(asked) == 4
    for command in asked:
        done = process(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "figure.pdf").exists()

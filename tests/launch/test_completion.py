"""Completion in the shell: the completions that argcomplete gives for a line, as bash asks for them."""

import os
import subprocess
import sys

import pytest

PROGRAM = "import sys; from dfedsam.launch.cli import main; sys.exit(main())"


def completions(line, folder):
    """What bash would offer at the end of a line."""
    answer = folder / "answer"
    asked = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9", "IFS": "\n", "_ARGCOMPLETE": "1"}
    asked |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    asked |= {"_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_COMP_WORDBREAKS": " \t\n\"'><=;|&(:"}
    subprocess.run([sys.executable, "-c", PROGRAM], env=os.environ | asked, cwd=folder, timeout=60, check=False)
    return set(answer.read_text().splitlines())


@pytest.mark.parametrize(
    ("line", "some", "none"),
    [
        ("dfedsam ", {"run", "resume", "sweep", "topology", "doctor"}, {"ring"}),
        ("dfedsam re", {"resume", "report"}, {"run"}),
        ("dfedsam report --", {"--metric", "--animate"}, {"--rounds"}),
        ("dfedsam run --algorithm dfedsam", {"dfedsam", "dfedsam_mg"}, {"dpsgd"}),
        ("dfedsam run --algorithm.gossip ", {"plain", "choco"}, {"ring"}),
        ("dfedsam run --algorithm.gossip choco --algorithm.gossip.", {"--algorithm.gossip.gamma"}, {"--rounds"}),
        ("dfedsam run --topology erdos_renyi --topology.", {"--topology.p", "--topology.seed"}, {"--topology.rows"}),
        ("dfedsam run --dtype ", {"float32", "float64"}, set()),
        ("dfedsam run --config de", {"demo.yaml"}, set()),
        ("dfedsam topology random_r", {"random_regular"}, {"ring"}),
        ("dfedsam resume a --placement ", {"contiguous", "metis"}, set()),
    ],
)
def test_what_may_follow(tmp_path, line, some, none):
    offered = {one.rstrip() for one in completions(line, tmp_path)}
    assert some <= offered
    assert not none & offered

"""Files are data: what a file names is looked up among registered plug-ins, and no command runs code that a file names.

Each case is a run's folder, a study or an experiment file of somebody else, and every command that reads one.
"""

import sys
from pathlib import Path

import pytest
import yaml

CODE = 'from pathlib import Path\nPath("RAN").write_text("")\ndef cmd(n):\n    return n\n\n\nclass X:\n    """X."""\n'
CALLED = {"class_path": "subprocess.getoutput", "init_args": {"cmd": "touch RAN"}}
IMPORTED = {"class_path": "theirs.cmd", "init_args": {}}
LAZY = {"class_path": "lazy", "init_args": {"weights": IMPORTED}}
TREES = {
    "a topology that is called": {"topology": CALLED},
    "a topology that is imported": {"topology": IMPORTED},
    "a topology by its path": {"topology": "theirs.cmd"},
    "a topology in another": {"topology": {"class_path": "link_failures", "init_args": {"topology": CALLED}}},
    "a topology in a list": {"topology": {"class_path": "round_robin", "init_args": {"topologies": ["ring", CALLED]}}},
    "a weight rule": {"topology": {"class_path": "ring", "init_args": {"weights": CALLED}}},
    "a weight rule in another": {"topology": {"class_path": "ring", "init_args": {"weights": LAZY}}},
    "an algorithm": {"algorithm": {"class_path": "theirs.X", "init_args": {}}},
    "an estimator": {"algorithm": {"class_path": "dfedsam", "init_args": {"estimator": "theirs.X"}}},
    "an objective": {"objective": "theirs.X"},
    "a black box": {"objective": {"class_path": "prompt_tuning", "init_args": {"blackbox": "theirs.X"}}},
    "a black box that calls a function": {
        "objective": {
            "class_path": "prompt_tuning",
            "init_args": {"blackbox": {"class_path": "function", "init_args": {"path": "theirs.cmd"}}},
        }
    },
    "a value": {"dtype": {"class_path": "theirs.X"}},
    "a value of networkx": {
        "topology": {"class_path": "networkx.barbell_graph", "init_args": {"m1": {"class_path": "theirs.X"}, "m2": 3}}
    },
    "one of YAML's own tags": "topology: !!python/object/apply:os.system [touch RAN]\n",
}  # fmt: skip


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """A module that says when it is imported, where Python would find it."""
    (tmp_path / "theirs.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("theirs", None)


def write(tree):
    """An experiment file, a sweep, and a study with a run whose settings have the same."""
    text = tree if isinstance(tree, str) else yaml.safe_dump(tree)
    base = text if isinstance(tree, str) else yaml.safe_dump({"base": tree, "seeds": 1})
    Path("experiment.yaml").write_text(text)
    Path("sweep.yaml").write_text(base)
    Path("study/sweep.yaml").write_text(base)
    config = Path("study/runs/a/config.yaml")
    config.write_text(text if isinstance(tree, str) else yaml.safe_dump(yaml.safe_load(config.read_text()) | tree))


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_nothing_that_a_file_names_is_run(dfedsam, tree):
    dfedsam("run", "--rounds", "1", "--objective.dim", "3", "--out", "study/runs/a")
    write(tree)
    before = {path for path in Path().rglob("*") if path.is_file()}
    for line in (
        *("run --config experiment.yaml --out b", "run --config experiment.yaml --print_config"),
        *(
            "run --config study/runs/a/config.yaml --out b",
            "resume study/runs/a --rounds 2",
            "sweep sweep.yaml --dry-run",
        ),
    ):
        said = dfedsam(*line.split())
        assert (said.status, said.err.count("\n")) == (2, 1), (line, said)
        assert "Traceback" not in said.err
    assert "Traceback" not in dfedsam("status", "study").err  # what it reads besides may be fine
    assert not Path("RAN").exists()
    assert "theirs" not in sys.modules
    assert not Path("b").exists()
    assert before <= {path for path in Path().rglob("*") if path.is_file()}


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize("name", ["a topology that is called", "a topology in another", "an algorithm"])
def test_nothing_is_run_by_what_shows_results(dfedsam, name):
    dfedsam("run", "--rounds", "1", "--objective.dim", "3", "--out", "study/runs/a")
    write(TREES[name])
    for line in ("plot study/runs/a --out a.png", "report study --out report", "export study/runs/a --out c"):
        said = dfedsam(*line.split())
        assert "Traceback" not in said.err, (line, said)
    assert not Path("RAN").exists()
    assert "theirs" not in sys.modules


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize("axis", [
    {"grid": {"topology": [CALLED]}},
    {"grid": {"topology": ["theirs.cmd"]}},
    {"grid": {"algorithm.estimator": ["theirs.X"]}},
    {"zip": [{"topology.weights": [IMPORTED]}]},
    {"search": {"option": "algorithm", "values": ["theirs.X"]}},
])  # fmt: skip
def test_nothing_that_a_sweep_varies_is_run(dfedsam, axis):
    Path("sweep.yaml").write_text(yaml.safe_dump({"seeds": 1} | axis))
    said = dfedsam("sweep", "sweep.yaml", "--dry-run")
    assert (said.status, said.err.count("\n")) == (2, 1), said
    assert "--allow-code" in said.err
    assert not Path("RAN").exists()


@pytest.mark.usefixtures("theirs")
def test_code_that_is_allowed_is_of_its_kind_before_it_is_called(dfedsam):
    Path("experiment.yaml").write_text(yaml.safe_dump({"topology": CALLED}))
    said = dfedsam("run", "--config", "experiment.yaml", "--allow-code")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "must be a function that is annotated to return a networkx graph" in said.err
    assert not Path("RAN").exists()

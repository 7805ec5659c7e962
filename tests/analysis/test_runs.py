"""Run folders as tables: columns, labels, runs still going on, folders that are not runs."""

import re

import pytest

from dfedsam.analysis.labels import base_label, labels, settings
from dfedsam.analysis.runs import read_metrics, read_runs
from tests.analysis.folders import config, row, write


def test_one_row_an_evaluation_with_its_run_label_seed_and_references(tmp_path):
    a = write(tmp_path / "a", [row(0), row(5, cosine=0.5)], references={"zero_shot_accuracy": 0.6, "note": "x"})
    b = write(tmp_path / "b", [row(0)], config("DPSGD", seed=3))
    frame = read_runs([a, str(b), a / "."])
    assert list(frame["run"]) == ["a", "a", "b"]
    assert list(frame["label"]) == ["DFedSAM, ring, 16 peers"] * 2 + ["DPSGD, ring, 16 peers"]
    assert list(frame["seed"]) == [0, 0, 3]
    assert list(frame["queries"]) == [0, 400, 0]
    assert frame["cosine"].isna().tolist() == [True, False, True]
    assert frame["reference.zero_shot_accuracy"].iloc[0] == 0.6
    assert frame["reference.zero_shot_accuracy"].isna().tolist() == [False, False, True]
    assert "reference.note" not in frame


def test_folders_of_one_name_stay_apart(tmp_path):
    frame = read_runs([write(tmp_path / name / "run", [row(0)]) for name in "ab"])
    assert frame["run"].nunique() == 2
    assert frame["label"].nunique() == 2


@pytest.mark.parametrize("tail", [b'{"round": 2, "lo', b'{"round": 2', b"{", b'{"round": 2, "note": "\xc3'])
def test_a_last_line_cut_short_is_left_out(tmp_path, tail):
    folder = write(tmp_path / "a", [row(0), row(1)])
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(tail)
    assert [each["round"] for each in read_metrics(folder)] == [0, 1]


def test_a_last_line_that_lacks_only_its_end_counts(tmp_path):
    folder = write(tmp_path / "a", [row(0), row(1)])
    path = folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes().rstrip())
    assert len(read_metrics(folder)) == 2


def test_a_round_that_was_played_again_counts_once(tmp_path):
    folder = write(tmp_path / "a", [row(0), row(1, loss=5), row(2), row(1, loss=7)])
    assert [(each["round"], each["loss"]) for each in read_metrics(folder)] == [(0, 2), (1, 7), (2, 2 / 3)]


def test_figures_that_are_not_finite_are_read(tmp_path):
    folder = write(tmp_path / "a", [row(0, loss=float("inf")), row(1, loss=float("nan"))])
    assert read_runs([folder])["loss"].isna().tolist() == [False, True]


def test_a_run_that_has_just_started_is_an_empty_table(tmp_path):
    empty = write(tmp_path / "a", [])
    assert len(read_runs([empty])) == 0
    assert list(read_runs([empty, write(tmp_path / "b", [row(0)])])["run"]) == ["b"]


def test_a_broken_line_in_the_middle_is_named(tmp_path):
    folder = write(tmp_path / "a", [row(0)])
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"round": 1, \n{"round": 2}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2: not a JSON object"):
        read_runs([folder])


@pytest.mark.parametrize("line", ["3\n", "[1]\n", '{"loss": 1}\n', '{"round": null}\n'])
def test_a_line_without_a_round_is_named(tmp_path, line):
    folder = write(tmp_path / "a", [])
    (folder / "metrics.jsonl").write_text(line)
    with pytest.raises(ValueError, match="line 1: not a JSON object with a round"):
        read_metrics(folder)


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ([], "config.yaml and metrics.jsonl missing"),
        (["config.yaml"], "is not a run folder: metrics.jsonl missing"),
        (["metrics.jsonl"], "is not a run folder: config.yaml missing"),
    ],
)
def test_a_folder_that_is_not_a_run_says_what_is_missing(tmp_path, there, said):
    for name in there:
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=re.escape(said)):
        read_runs([tmp_path])


def test_other_mistakes(tmp_path):
    with pytest.raises(ValueError, match="it is not there; check the path"):
        read_runs([tmp_path / "none"])
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="it is a file"):
        read_runs([tmp_path / "file"])
    with pytest.raises(ValueError, match="folders is empty"):
        read_runs([])
    folder = write(tmp_path / "a", [row(0)])
    for text, said in [("a: [1", "cannot be read as YAML"), ("- 1", "must hold settings by name")]:
        (folder / "config.yaml").write_text(text)
        with pytest.raises(ValueError, match=said) as error:
            read_runs([folder])
        assert "\n" not in str(error.value)
    folder = write(tmp_path / "b", [row(0)], references=[1])
    with pytest.raises(ValueError, match="must hold figures by name"):
        read_runs([folder])


def test_references_that_are_being_written_are_not_there_yet(tmp_path):
    folder = write(tmp_path / "a", [row(0)])
    (folder / "references.json").write_text('{"zero_sh')
    assert not [column for column in read_runs([folder]) if column.startswith("reference")]


def test_labels_name_what_sets_runs_apart_and_join_seeds():
    configs = [
        config(),
        config(seed=1),
        config(rho=0.1),
        config("DFedSAMMG", gossip={"class_path": "Plain", "init_args": {"steps": 4}}),
        config("DFedSAMMG", gossip={"class_path": "Plain", "init_args": {"steps": 8}}),
        config("my.package.Own", topology="torus", peers=64),
    ]
    assert labels(configs, list("abcdef")) == [
        "DFedSAM, ring, 16 peers, rho=0.05",
        "DFedSAM, ring, 16 peers, rho=0.05",
        "DFedSAM, ring, 16 peers, rho=0.1",
        "DFedSAMMG, ring, 16 peers, gossip.steps=4",
        "DFedSAMMG, ring, 16 peers, gossip.steps=8",
        "Own, torus, 64 peers",
    ]


def test_labels_show_another_plug_in_without_all_its_arguments():
    one, two = config(), config()
    two["objective"] = {"class_path": "LogisticRegression", "init_args": {"classes": 3}}
    found = labels([one, two], ["a", "b"])
    assert found == ["DFedSAM, ring, 16 peers, Quadratic", "DFedSAM, ring, 16 peers, LogisticRegression"]


def test_labels_fall_back_on_folders():
    assert labels([config(), config()], ["a", "b"]) == ["DFedSAM, ring, 16 peers (a)", "DFedSAM, ring, 16 peers (b)"]
    assert labels([{}], ["a"]) == ["a"]
    long = [config(seed=seed, path="x" * 50 + str(seed)) for seed in (0, 1)]
    found = labels(long, ["a", "b"])
    assert found == [f"DFedSAM, ring, 16 peers, other path ({name})" for name in "ab"]


def test_graphs_of_ones_own_have_a_short_name():
    file = config(topology="dfedsam.topologies.graphs.files.from_file")
    file["topology"]["init_args"] = {"path": "/data/friends.graphml"}
    assert base_label(file) == "DFedSAM, friends.graphml, 16 peers"
    assert base_label(config(topology="from_edges")) == "DFedSAM, own graph, 16 peers"


def test_settings_leave_out_seeds_and_how_the_run_was_played():
    assert settings(config(seed=4)) == {
        "topology": "ring",
        "peers": 16,
        "objective": "Quadratic",
        "objective.dim": 50,
        "algorithm": "DFedSAM",
        "algorithm.rho": 0.05,
    }

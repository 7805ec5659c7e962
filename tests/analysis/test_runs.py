"""Run folders as tables: columns, labels, runs still going on, folders that are not runs."""

import re

import pytest

from dfedsam.analysis.read.labels import base_label, differing, labels, legend, others, settings, variants
from dfedsam.analysis.read.runs import read_runs, read_study
from tests.analysis.folders import config, row, write


def test_one_row_an_evaluation_with_its_run_label_seed_and_references(tmp_path):
    a = write(tmp_path / "a", [row(0), row(5, cosine=0.5)], references={"zero_shot_accuracy": 0.6, "note": "x"})
    b = write(tmp_path / "b", [row(0)], config("dpsgd", seed=3))
    frame = read_runs([a, str(b), a / "."])
    assert list(frame["run"]) == ["a", "a", "b"]
    assert list(frame["label"]) == ["dfedsam, ring, 16 peers"] * 2 + ["dpsgd, ring, 16 peers"]
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


def test_metrics_that_are_not_finite_are_read(tmp_path):
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
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2: is not an evaluation"):
        read_runs([folder])


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "has neither a config.yaml nor runs"),
        (["config.yaml"], "it has no metrics.jsonl"),
        (["metrics.jsonl"], "it has no config.yaml"),
    ],
)
def test_a_folder_that_is_not_a_run_says_what_is_missing(tmp_path, files, said):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=re.escape(said)):
        read_runs([tmp_path])


def test_other_mistakes(tmp_path):
    with pytest.raises(ValueError, match="it does not exist; fix the path"):
        read_runs([tmp_path / "none"])
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="it is a file"):
        read_runs([tmp_path / "file"])
    with pytest.raises(ValueError, match="folders is empty: it must name a run or a study"):
        read_runs([])
    folder = write(tmp_path / "a", [row(0)])
    for text, said in [("a: [1", "is not YAML"), ("- 1", "must hold settings by name"), ("format: 2", "has format 2")]:
        (folder / "config.yaml").write_text(text)
        with pytest.raises(ValueError, match=said) as error:
            read_runs(str(folder))
        assert "\n" not in str(error.value)


def test_references_that_cannot_be_read_are_left_out(tmp_path):
    folder = write(tmp_path / "a", [row(0)])
    for text in ('{"zero_sh', "[1]"):
        (folder / "references.json").write_text(text)
        assert not [column for column in read_runs([folder]) if str(column).startswith("reference")]


def test_a_study_is_read_as_its_runs(tmp_path):
    for name in "ab":
        write(tmp_path / "runs" / name, [row(0)])
    assert list(read_runs(tmp_path)["run"]) == ["a", "b"]


def test_nothing_that_a_file_names_is_imported(tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    trap = {"class_path": "trap.topology", "init_args": {"weights": "trap.rule"}}
    folder = write(tmp_path / "a", [row(0)], {**config("trap.Own"), "topology": trap, "objective": trap})
    assert list(read_study([folder]).runs["algorithm"]) == ["Own"]


def gossip(steps):
    return {"class_path": "plain", "init_args": {"steps": steps}}


def test_labels_name_all_in_which_runs_differ_and_join_seeds():
    configs = [
        config(),
        config(seed=1),
        config(rho=0.1),
        config("dfedsam_mg", gossip=gossip(4)),
        config("dfedsam_mg", gossip=gossip(8)),
        config("my.package.Own", topology="torus", peers=64),
    ]
    assert labels(configs, list("abcdef")) == [
        "dfedsam, ring, 16 peers, ρ = 0.05",
        "dfedsam, ring, 16 peers, ρ = 0.05",
        "dfedsam, ring, 16 peers, ρ = 0.1",
        "dfedsam_mg, ring, 16 peers, ρ = 0.05, Q = 4",
        "dfedsam_mg, ring, 16 peers, ρ = 0.05, Q = 8",
        "Own, torus, 64 peers, ρ = 0.05",
    ]


def test_a_setting_that_varies_is_said_of_every_run():
    """The learning rate of one curve alone would read as if the others shared one."""
    rates = {("ring", 1): 0.2, ("ring", 4): 0.05, ("star", 1): 0.2}
    configs = [config(topology=graph, lr=lr, gossip=gossip(q)) for (graph, q), lr in rates.items()]
    assert labels(configs, list("abc")) == [
        "dfedsam, ring, 16 peers, lr = 0.2, Q = 1",
        "dfedsam, ring, 16 peers, lr = 0.05, Q = 4",
        "dfedsam, star, 16 peers, lr = 0.2, Q = 1",
    ]


def test_a_legend_says_what_varies_and_a_title_the_rest():
    tables = [settings(config(topology=graph, gossip=gossip(q))) for graph in ("ring", "torus") for q in (1, 4)]
    names, common = legend(tables, list("abcd"))
    assert names == ["ring, Q = 1", "ring, Q = 4", "torus, Q = 1", "torus, Q = 4"]
    assert common == "dfedsam, 16 peers"


def test_options_of_other_plug_ins_do_not_tell_apart():
    one, two = config(), config()
    two["objective"] = {"class_path": "logistic_regression", "init_args": {"classes": 3}}
    assert differing([settings(one), settings(two)]) == {"objective"}
    found = labels([one, two], ["a", "b"])
    assert found == ["dfedsam, ring, 16 peers, quadratic", "dfedsam, ring, 16 peers, logistic_regression"]
    assert differing([{"a": "x", "a.b": 1}, {"a": "x"}]) == {"a.b"}  # of one plug-in, lacked by one run


def test_labels_fall_back_on_folders():
    assert labels([config(), config()], ["a", "b"]) == ["dfedsam, ring, 16 peers (a)", "dfedsam, ring, 16 peers (b)"]
    assert labels([{}], ["a"]) == ["a"]
    long = [config(seed=seed, path="x" * 50 + str(seed)) for seed in (0, 1)]
    found = labels(long, ["a", "b"])
    assert found == [f"dfedsam, ring, 16 peers, other path ({name})" for name in "ab"]


def test_graphs_of_ones_own_have_a_short_name():
    file = config(topology="from_file")
    file["topology"]["init_args"] = {"path": "/data/friends.graphml"}
    assert base_label(settings(file)) == "dfedsam, friends.graphml, 16 peers"
    assert base_label(settings(config(topology="from_edges"))) == "dfedsam, own graph, 16 peers"


def test_settings_without_a_column_of_their_own_are_named_together():
    def table(gossip, peers, **objective):
        clipped = {"algorithm.gossip.max_attackers": 1} if gossip == "clipped" else {}
        attack = {"adversary": "alie", "adversary.peers": peers, "adversary.scale": None}
        return {"algorithm": "dfedavg", "algorithm.gossip": gossip, **clipped, **attack, **objective, "peers": 16}

    columns = {"algorithm", "algorithm.gossip", "peers"}
    attacked = [table(gossip, peers) for gossip in ("plain", "clipped") for peers in (0, 3)]
    assert others(attacked, columns) == ["attackers = 0", "attackers = 3"] * 2
    assert variants(attacked, "algorithm", columns) == [None] * 4, "an option that all with this gossip share"
    data = [table("plain", n, **{"objective.data": d, "objective.words": d}) for d in ("a", "b") for n in (0, 3)]
    assert others(data, {*columns, "objective.data"}) == ["attackers = 0", "attackers = 3"] * 2, (
        "words follow from data"
    )
    private = [{"privacy": "gaussian", "privacy.epsilon": 3.0}, {"privacy": "laplace", "privacy.epsilon": 3.0}, {}]
    assert others(private, ()) == ["privacy = gaussian", "privacy = laplace", None]
    assert others(attacked[:1] * 2, columns) == [None, None]


def test_settings_leave_out_seeds_and_how_the_run_was_executed():
    assert settings(config(seed=4)) == {
        "topology": "ring",
        "peers": 16,
        "objective": "quadratic",
        "objective.dim": 50,
        "algorithm": "dfedsam",
        "algorithm.rho": 0.05,
    }

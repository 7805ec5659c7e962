"""Bad sweeps: one line that names the file, the key and the rule; exit status 2; nothing written."""

import re
from pathlib import Path

import pytest

CASES = {
    "an unknown key": ("gird: {topology: [ring]}", "", "small.yaml: gird is not a key .* did you mean grid"),
    "an empty grid": ("grid: {}", "", "grid is {}: it must name options"),
    "an empty list": ("grid: {topology: []}", "", "grid.topology is .*at least one value"),
    "one value, not a list": ("grid: {topology: ring}", "", "grid.topology is ring: it must be a list"),
    "a value that is not finite": ("grid: {algorithm.lr: [.nan]}", "", "grid.algorithm.lr has nan"),
    "no mapping": ("- ring", "", "it must hold settings by name: base, grid"),
    "an empty file": ("", "", "it must hold settings by name"),
    "no YAML": ("grid: [", "", "sweep is small.yaml: it must be YAML"),
    "an unknown option": ("grid: {topologi: [ring]}", "", "run topologi=ring,seed=0: .*did you mean --topology"),
    "an unknown option in the base": ("base: {round: 3}", "", "round.*is not an option.*did you mean rounds"),
    "a value out of range": (
        "grid: {topology: [ring, grid], peers: [16, 13]}",
        "",
        "run topology=grid,peers=13,seed=0: peers is 13",
    ),
    "two runs of one name": ("grid: {topology: [ring, ring]}", "", "two runs would be called topology=ring,seed=0"),
    "a seed twice": ("seeds: [1, 1]", "", "two runs would be called seed=1"),
    "no seeds": ("seeds: 0", "", "seeds is 0: it must be the number of seeds, from 1"),
    "seeds in the grid": ("grid: {seed: [1, 2]}", "", "vary the seed by `seeds`"),
    "what is no part of a run": ("grid: {ranks: [1, 2]}", "", "ranks cannot vary"),
    "an option in two places": ("grid: {peers: [8]}\nzip: [{peers: [9]}]", "", "peers varies in two places"),
    "lists of two lengths": (
        "zip: [{peers: [8, 9], rounds: [1]}]",
        "",
        "the same length, but peers has 2, rounds has 1",
    ),
    "a zip of no lists": ("zip: 3", "", "zip is 3: it must be a list of groups"),
    "a folder in the base": ("base: {out: runs/a}", "", "base has out: the sweep names its runs' folders"),
    "a base that is missing": ("base: none.yaml", "", "base is none.yaml: it must be a file that can be read"),
    "a search for nothing": ("search: {option: algorithm.lr}", "", "search is .*an option and its values"),
    "an unknown key of a search": ("search: {option: rounds, values: [1], best: 1}", "", "best is not a key of search"),
    "a search for the middle": ("search: {option: rounds, values: [1], choose: mid}", "", "search.choose is mid"),
    "no jobs": ("seeds: 1", "--jobs 0", "jobs is 0: it must be a whole number of at least 1"),
    "more ranks than peers": ("base: {peers: 8}", "--ranks 9", "ranks is 9.*number of peers, 8"),
    "a run that there is not": ("seeds: 2", "--only 2", "only is 2: it must be below the number of runs, 2"),
    "an unknown option of sweep": ("seeds: 1", "--job 2", "did you mean --jobs"),
    "an unknown logger": ("seeds: 1", "--log paper", "log is paper: it must be one of tensorboard, wandb, mlflow"),
    "a partition without SLURM": ("seeds: 1", "--partition cpu", "partition is cpu.*add --slurm"),
    "a time that SLURM has not": ("seeds: 1", "--slurm --time 2h", "slurm.time is 2h: it must be in SLURM's format"),
    "an unknown key of slurm": (
        "slurm: {partitions: a}",
        "--slurm",
        r"slurm\.partitions is a: it is not a setting .*did you mean partition\?",
    ),
    "a module that is no list": (
        "slurm: {modules: gcc}",
        "--slurm",
        "slurm.modules is gcc: it must be a list of lines",
    ),
    "no sbatch": ("seeds: 1", "--slurm", "it needs sbatch, which is not found"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_sweep(dfedsam, monkeypatch, case):
    text, options, expected = CASES[case]
    monkeypatch.setenv("PATH", "")
    Path("small.yaml").write_text(text)
    said = dfedsam("sweep", "small.yaml", *options.split())
    assert said.status == 2
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert re.search(expected, said.err)
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("sweep", "file is missing"),
        ("sweep none.yaml", "none.yaml: it must be a file that can be read"),
        ("status", "folder is missing"),
        ("status .", "it must be a study's folder"),
        ("status . --every", "--every is not an option"),
        ("watch", "folder is missing"),
        ("watch none/a", "it must be a run's folder, but it does not exist"),
        ("watch a --every 0", "every is 0.0: it must be a number of seconds above 0"),
    ],
)
def test_bad_commands(dfedsam, argv, expected):
    said = dfedsam(*argv.split())
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert expected in said.err


def test_a_study_is_never_mixed_with_another(dfedsam):
    Path("small.yaml").write_text("base: {rounds: 1, peers: 8}")
    assert dfedsam("sweep", "small.yaml").status == 0
    Path("small.yaml").write_text("base: {rounds: 1, peers: 9}")
    said = dfedsam("sweep", "small.yaml")
    assert said.status == 2
    assert "was executed with other settings: its peers is 8, and the sweep's is 9" in said.err


def test_studies_of_one_name_share_nothing(dfedsam):
    for folder, seeds in (("a", 1), ("b", 2)):
        Path(folder).mkdir()
        Path(folder, "small.yaml").write_text(f"base: {{rounds: 1, peers: 8}}\nseeds: {seeds}\n")
    assert dfedsam("sweep", "a/small.yaml").status == 0
    before = {path: path.read_bytes() for path in Path("studies").rglob("*") if path.is_file()}
    said = dfedsam("sweep", "b/small.yaml")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "must not hold another study, but its sweep.yaml is that of" in said.err
    assert {path: path.read_bytes() for path in Path("studies").rglob("*") if path.is_file()} == before
    Path("a/small.yaml").write_text("base: {rounds: 1, peers: 8}\nseeds: 2\n")
    assert dfedsam("sweep", "a/small.yaml").status == 0
    assert dfedsam("sweep", "studies/small").status == 0

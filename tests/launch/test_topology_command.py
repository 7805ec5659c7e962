"""`dfedsam topology`: the list, the figures of one, the table of several, and what is said where one does not fit."""

import csv
import io
import json
import re
import sys
from pathlib import Path

import pytest

from dfedsam import topologies
from dfedsam.launch import topology as command, topology_rows

FIXED = {"davis": 32, "karate": 34, "florentine": 15, "les_miserables": 77, "petersen": 10}


def test_the_list_has_every_topology_and_rule_in_lines_of_100_letters(dfedsam):
    said = dfedsam("topology", "--list")
    assert (said.status, said.err) == (0, "")
    lines = said.out.splitlines()
    assert max(map(len, lines)) <= 100
    for name in [*topologies.table(), *topologies.rules()]:
        assert sum(f"{line} ".startswith(f"  {name} ") for line in lines) == 1
    assert any("[neighbours=4, p=0.1, seed]" in line for line in lines)
    assert not any("class_proportions" in line for line in lines)


def test_the_list_as_json(dfedsam):
    found = {item["name"]: item for item in json.loads(dfedsam("topology", "--list", "--json").out)}
    assert set(found) == {*topologies.table(), *topologies.rules()}
    assert found["random_regular"]["options"] == {"degree": 4, "seed": 0}


def test_one_topology_has_all_its_figures(dfedsam):
    said = dfedsam("topology", "grid", "--peers", "12", "--topology.rows=2", "--steps", "4")
    lines = {words.strip(): cell for words, cell in re.findall(r"^(.+?)  +(.+)$", said.out, re.MULTILINE)}
    figures = json.loads(
        dfedsam("topology", "grid", "--peers", "12", "--topology.rows=2", "--steps", "4", "--json").out
    )
    assert (figures["n"], figures["edges"], figures["topology"]) == (12, 16, "grid(rows=2)")
    assert figures["lambda_q"] == pytest.approx(figures["lambda"] ** 4)
    assert lines["peers"] == "12"
    assert lines["λ of Q = 4 steps"] == f"{figures['lambda_q']:.6f}"
    assert lines["λ = σ₂ = ρ"] == f"{figures['lambda']:.6f}"
    assert "the same W in every round" in said.out


ASKED_FOR = {"cycle_time", "attackers", "honest_mu_2", "tolerated"}  # metrics of underlays and attackers alone


def test_no_figure_is_without_words():
    said_otherwise = {"period", "directed", "sums", "biased", "steps", "contraction_stderr", "approximate"}
    known = set(topologies.spectrum(topologies.make("ring", 5)))
    assert known | ASKED_FOR == {*command.METRICS, *said_otherwise}


@pytest.mark.parametrize(("argv", "texts"), [
    (("base", "--peers", "25"), ["rounds to the exact mean +9$", "^9 matrices in turn; exact after 9 rounds$"]),
    (("random_matching",), ["messages a round, one vector each +16$", "^W redrawn in each round$"]),
    (("random_neighbours",), [r"≈", r"λ_max\(E\[WᵀW\] − J\) +0\.\d+ ± 0\.0"]),
    (("random_out",), ["^σ₂ ", "^the same W in every round, directed; needs push-sum$"]),
    (("star", "--weights", "uniform"), ["biased: only rows sum to one"]),
])  # fmt: skip
def test_figures_of_schedules_and_directed_graphs(dfedsam, argv, texts):
    said = dfedsam("topology", *argv)
    assert said.status == 0
    for text in texts:
        assert re.search(text, said.out, re.MULTILINE), said.out


def test_a_table_of_several(dfedsam):
    said = dfedsam("topology", "ring", "hypercube", "one_peer_exponential", "--peers", "64")
    header, *rows = said.out.splitlines()
    assert all(metric.column in header for key, metric in command.METRICS.items() if key not in ASKED_FOR)
    cells = {row.split()[0]: row.split()[1:] for row in rows}
    assert cells["ring"][:4] == ["64", "2", "2", "128"]
    assert cells["hypercube"][:6] == ["64", "6", "6", "384", f"{1 - 2 / 7:.4f}", f"{2 / 7:.3g}"]
    assert cells["one_peer_exponential"] == [
        "64",
        "1",
        "1",
        "64",
        "0.0000",
        "1",
        "10.16",
        "6",
        "exact",
        "after",
        "6",
        "rounds",
    ]


def test_a_row_that_does_not_fit_says_so_and_the_others_stand(dfedsam):
    said = dfedsam("topology", "ring", "hypercube", "davis", "--peers", "60")
    assert said.status == 0
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("does not fit")] == ["hypercube", "davis"]
    assert any(re.match(r"hypercube: peers is 60.*64", line) for line in lines)
    assert any(re.match(r"davis: peers is 60.*32", line) for line in lines)
    values = json.loads(dfedsam("topology", "ring", "hypercube", "--peers", "60", "--json").out)
    assert values[0]["n"] == 60
    assert "peers is 60" in values[1]["error"]


def test_none_fits(dfedsam):
    said = dfedsam("topology", "hypercube", "margulis", "--peers", "60")
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert "hypercube: peers is 60" in said.err


@pytest.mark.parametrize(("name", "peers"), FIXED.items())
def test_a_graph_of_fixed_size_says_it(dfedsam, name, peers):
    assert json.loads(dfedsam("topology", name, "--json").out)["n"] == peers


def test_csv_has_a_line_a_topology(dfedsam):
    rows = list(
        csv.DictReader(io.StringIO(dfedsam("topology", "ring", "torus", "hypercube", "--peers=36", "--csv").out))
    )
    assert [row["topology"] for row in rows] == ["ring", "torus", "hypercube"]
    assert float(rows[1]["gap"]) == pytest.approx(0.2)
    assert rows[2]["error"].startswith("peers is 36")


def test_weights_by_either_name_and_several_of_them(dfedsam):
    short = dfedsam("topology", "davis", "--weights", "metropolis", "--json").out
    assert json.loads(short) == json.loads(
        dfedsam("topology", "davis", "--topology.weights", "metropolis", "--json").out
    )
    values = json.loads(dfedsam("topology", "star", "base", "--weights", "metropolis,out_degree", "--json").out)
    names = ["star(weights=metropolis)", "star(weights=out_degree)", "base"]  # base brings its own
    assert [value["topology"] for value in values] == names
    assert [value["sums"] for value in values] == ["both", "columns", "both"]


def test_an_option_goes_to_those_that_have_it(dfedsam):
    values = json.loads(
        dfedsam("topology", "ring", "random_regular", "base", "--topology.degree", "2", "--peers", "12", "--json").out
    )
    assert [value["topology"] for value in values] == ["ring", "random_regular(degree=2)", "base(degree=2)"]
    wanted = "{class_path: random_regular, init_args: {degree: 6}}"
    values = json.loads(dfedsam("topology", "random_regular", wanted, "--json").out)
    assert [value["degree_max"] for value in values] == [4, 6]


def test_what_is_biased_or_needs_push_sum_is_marked(dfedsam):
    assert "needs push-sum" in dfedsam("topology", "star", "--weights", "out_degree").out
    table = dfedsam("topology", "ring", "random_out").out.splitlines()
    assert [line.endswith("needs push-sum") for line in table] == [False, False, True]


def test_rich_draws_the_table_on_a_terminal(dfedsam, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "140")
    out = dfedsam("topology", "ring", "star").out
    assert "─" in out
    assert "0.0507" in out


@pytest.mark.parametrize(("line", "text"), [
    ("topology ring grids", "topology is grids.*did you mean grid"),
    ("topology ring star --topology.rows 3", "--topology.rows is not an option of any of these topologies"),
    ("topology ring --topology.rows 3", "--topology.rows is not an option: there are weights"),
    ("topology base --weights metropolis", "this topology has its own weights"),
    ("topology ring --weights", "weights needs a value"),
    ("topology ring --weights metropolitan", "topology.weights is metropolitan.*did you mean metropolis"),
    ("topology ring star --draw both.png", "names is ring star.*draw takes one topology"),
    ("topology ring --draw", "draw needs a value"),
    ("topology ring --draw ring.bmp", "ring.bmp"),
    ("topology ring --peers few", "peers is few"),
    ("topology ring --steps two", "steps is two"),
    ("topology --peers 3", "topology is missing"),
    ("topology --seed.help", "seed is not a plug-in"),
])  # fmt: skip
def test_bad_input(dfedsam, line, text):
    said = dfedsam(*line.split())
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert re.search(text, said.err), said.err
    assert list(Path().iterdir()) == []


def test_notes_on_a_file_are_said(dfedsam):
    Path("friends.edgelist").write_text("a a\na b\nb c\n")
    assert "note: friends.edgelist: self-loops dropped: 1" in dfedsam("topology", "friends.edgelist").out
    assert "friends.edgelist: friends.edgelist: self-loops" in dfedsam("topology", "friends.edgelist", "ring").out
    said = dfedsam("run", "--topology", "friends.edgelist", "--rounds", "1", "--out", "a")
    assert (said.status, said.err) == (0, "dfedsam: note: friends.edgelist: self-loops dropped: 1\n")


def test_an_adjacency_matrix_is_a_graph(dfedsam):
    Path("adjacency.csv").write_text("0,1,0,1\n1,0,1,0\n0,1,0,1\n1,0,1,0\n")
    ours, ring = (
        json.loads(dfedsam("topology", *argv, "--json").out) for argv in (["adjacency.csv"], ["ring", "--peers=4"])
    )
    assert (ours["n"], ours["edges"]) == (4, 4)
    assert ours["lambda"] == pytest.approx(ring["lambda"])


def test_messages_a_round_count_each_gossip_step_once(dfedsam):
    for steps in (1, 4):
        metrics = json.loads(dfedsam("topology", "ring", "--peers", "16", "--steps", str(steps), "--json").out)
        assert metrics["vectors_per_round"] == 32 * steps


def test_the_seconds_of_a_round_on_an_underlay(dfedsam):
    """A peer at each site; without the computation, Marfoq's cycle times of Table 3."""
    said = dfedsam("topology", "ring", "mst", "one_peer_ring", "--underlay", "gaia", "--message", "5620214B")
    assert said.status == 0
    assert "s a round" in said.out
    rows = json.loads(dfedsam("topology", "ring", "mst", "--underlay", "Gaia", "--message", "5620214", "--json").out)
    assert [row["n"] for row in rows] == [11, 11]
    assert rows[1]["cycle_time"] == pytest.approx(0.1381 - 0.0254, rel=1e-3)
    assert rows[0]["cycle_time"] > rows[1]["cycle_time"]
    options = ("--topology.published", "true", "--underlay", "gaia", "--message", "5620214", "--json")
    star, ring = json.loads(dfedsam("topology", "star", "christofides", *options).out)
    assert 2 * star["cycle_time"] + 0.0254 == pytest.approx(0.3909, rel=1e-3)  # up to the hub, and down
    assert ring["cycle_time"] + 0.0254 == pytest.approx(0.1181, rel=1e-3)


@pytest.mark.parametrize("name", ["one_peer_exponential", "one_peer_ring", "base"])
def test_the_cycle_time_of_a_period_is_that_of_its_rounds_played(monkeypatch, name):
    topology = topologies.make(name, 11, 0)
    seconds, exact = topology_rows.cycle_time(topology, "gaia", 45e6)
    monkeypatch.setattr(topology_rows, "_UNROLLED", 0)
    assert exact
    assert topology_rows.cycle_time(topology, "gaia", 45e6) == (pytest.approx(seconds, rel=0.01), False)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("ring", "--draw", "a.txt"), "draw is a.txt: it must end in one of .pdf, .png, .svg; name it a.pdf"),
        (("ring", "star", "--draw", "a.png"), "names is ring star: it must be a single name"),
        (
            ("ring", "--weights", "metropolis,lazy", "--draw", "a.png"),
            "weights is metropolis,lazy: it must be a single",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_shown(dfedsam, argv, message):
    said = dfedsam("topology", *argv)
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert message in said.err
    assert not list(Path().glob("a.*"))


@pytest.mark.parametrize("command", [("topology", "own.broken"), ("run", "--topology", "own.broken", "--out", "a")])
def test_what_a_function_of_ones_own_raises_is_one_line(dfedsam, monkeypatch, tmp_path, command):
    code = "import networkx as nx\ndef broken(n: int) -> nx.Graph:\n    return nx.Graph()[n]\n"
    (tmp_path / "own.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    said = dfedsam(*command)
    assert (said.status, said.out, said.err.count("\n")) == (1, "", 1)
    assert f"dfedsam {command[0]}: {tmp_path / 'own.py'}, line 3: KeyError: 16; DFEDSAM_TRACEBACK=1" in said.err
    assert not Path("a").exists()


def test_a_fault_of_this_program_keeps_its_traceback(dfedsam, monkeypatch):
    monkeypatch.setattr("dfedsam.launch.topology.measure", {}.__getitem__)
    with pytest.raises(TypeError):
        dfedsam("topology", "ring")

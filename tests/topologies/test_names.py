"""Names are taken as people write them, and wrong ones are answered with the nearest."""

import pytest

from dfedsam.topologies import erdos_renyi, find, make, random_regular, table


@pytest.mark.parametrize("name", table())
def test_every_name_in_every_form(name):
    for form in (
        name,
        name.upper(),
        name.title(),
        name.replace("_", ""),
        name.replace("_", "-"),
        name.replace("_", " "),
    ):
        assert find(form) is table()[name]


def test_import_paths():
    assert find("dfedsam.topologies.graphs.random.erdos_renyi") is erdos_renyi
    assert find("dfedsam.topologies.random_regular") is random_regular
    assert make("networkx.wheel_graph", 6).graph(0).number_of_edges() == 10


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rign", "topology is rign: it must be a name that .*did you mean ring?"),
        ("erdos_reny", "did you mean erdos_renyi?"),
        ("zzzzz", "topology is zzzzz: it must be a name that"),
        ("", "topology is empty: it must be a name that"),
        ("nowhere.at.all", "topology is nowhere.at.all: it must be importable, but No module named 'nowhere'"),
        (
            "dfedsam.topologies.graphs.classic.wheel",
            "topology is dfedsam.topologies.graphs.classic.wheel: it must be importable, .*wheel",
        ),
        ("dfedsam.topologies.graphs.random.DRAWS", "must be a function or a class, but it is a int"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        find(name)
    assert "\n" not in str(caught.value)


def test_files_are_known_by_their_suffix(tmp_path):
    (tmp_path / "friends.edgelist").write_text("a b\nb c\n")
    topology = make(str(tmp_path / "friends.edgelist"), 3, seed=0)
    assert topology.n == 3
    assert topology.description["class_path"] == "from_file"
    assert topology.description["init_args"]["path"] == str(tmp_path / "friends.edgelist")
    assert make(str(tmp_path / "friends.edgelist")).n == 3
    with pytest.raises(ValueError, match=r"nothing\.graphml: it must be a file that can be read"):
        make("nothing.graphml", 3)
    (tmp_path / "graph.dat").write_text("a b\n")
    with pytest.raises(ValueError, match="it must be a file with one of the suffixes"):
        make(str(tmp_path / "graph.dat"), 2)


@pytest.mark.parametrize(
    "name",
    [
        "subprocess.getoutput",
        {"class_path": "link_failures", "init_args": {"topology": "subprocess.getoutput"}},
        {"class_path": "round_robin", "init_args": {"topologies": ["ring", "subprocess.getoutput"]}},
        {"class_path": "ring", "init_args": {"weights": "subprocess.getoutput"}},
        {"class_path": "ring", "init_args": {"weights": {"class_path": "lazy", "init_args": {"weights": "os.system"}}}},
    ],
)
def test_a_file_names_registered_plug_ins_alone(name):
    with pytest.raises(ValueError, match="must be a registered plug-in, because it is named in a file"):
        make(name, 4, allow_import=False)
    with pytest.raises(ValueError, match="annotated to return"):  # typed by hand, but no topology: it is not called
        make(name, 4)
    assert make("ring", 4, allow_import=False).n == 4
    assert make("networkx.wheel_graph", 4, allow_import=False).n == 4


def test_names_of_any_length():
    for name in ("a" * 5000, "b\0c", "../" * 3000):
        with pytest.raises(ValueError, match="must be a name that"):
            find(name)

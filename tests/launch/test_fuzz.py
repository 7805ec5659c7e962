"""Odd command lines and odd YAML, drawn by fixed seeds: one line and exit status 2, or a success; never a traceback."""

import random
from pathlib import Path

import pytest
import yaml

from dfedsam import registry
from dfedsam.launch.options import EXPERIMENTS

OPTIONS = (
    *("topology", "topology.p", "topology.degree", "topology.weights", "topology.weights.share", "topology.topology"),
    *("topology.topologies", "topology.rows", "topology.seed", "algorithm", "algorithm.lr", "algorithm.rho"),
    *("algorithm.gossip", "algorithm.gossip.steps", "algorithm.gossip.compressor", "algorithm.gossip.compressor.k"),
    *("algorithm.estimator", "algorithm.estimator.directions", "algorithm.local_steps", "objective", "objective.dim"),
    *("objective.words", "objective.split", "objective.split.alpha", "objective.blackbox", "peers", "rounds", "seed"),
    *("dtype", "ranks", "evaluate_every", "checkpoint_every", "cosine", "references", "placement", "config", "log"),
    *("no_such", "algorithm.no.such", ".", "..", "algorithm.", ".lr", "topology.class_path", "algorithm.init_args.lr"),
)
NAMES = [name for kind in registry.KINDS for name in registry.plugins(kind)]
VALUES = (
    *("", " ", "0", "-1", "1", "3", "16", "1e3", "1e400", "-1e400", "nan", "inf", "0.5", "010", "1:30", "0x10", "1_0"),
    *(
        "18446744073709551616",
        "9" * 400,
        "1." + "0" * 400,
        "true",
        "no",
        "null",
        "~",
        "[]",
        "{}",
        "[1, 2",
        "{a: b",
        "{a}",
    ),
    *(
        "[[1, 2], [3]]",
        "ring, star",
        "[ring, {class_path: grid}]",
        "{class_path: grid, init_args: {rows: 2}}",
        "a" * 3000,
    ),
    *(
        "{class_path: 3}",
        "{class_path: ring, init_args: 3}",
        "{class_path: ring, init_args: [1]}",
        "os.system",
        "os.path",
    ),
    *(
        "../../etc/passwd",
        "/",
        "\x00",
        "\x1b[31m",
        "é",
        "网",
        "'",
        '"',
        "*a",
        "&a b",
        "!!python/name:os.system",
        "!!int a",
    ),
    *(
        "- - - -",
        "? a",
        "networkx.complete_graph",
        "networkx.nothing",
        "..",
        "a.b.c",
        "--",
        "-",
        "%s",
        "{0}",
        "\n",
        "\t",
    ),
    *("demo.yaml", "none.yaml", "[" * 3000, "{a: " * 3000, "a: &a [*a]"),
)


def is_refused_well(said):
    """One line on standard error, with exit status 2, or 1 for what the machine does not allow."""
    return said.status in (1, 2) and said.err.count("\n") == 1 and "Traceback" not in said.err


@pytest.mark.parametrize("seed", range(4))
def test_odd_command_lines(dfedsam, seed):
    draw = random.Random(seed)
    refused = 0
    for _ in range(60):
        words = []
        for _ in range(draw.randint(1, 4)):
            value = draw.choice(draw.choice((VALUES, NAMES)))
            option = f"--{draw.choice(OPTIONS)}"
            words += draw.choice(([option, value], [option, value], [f"{option}={value}"], [option], [value]))
        command = draw.choice((("run", "--print_config"), ("run", "--print_config"), ("topology", "ring", "--peers=4")))
        said = dfedsam(*command, *words)
        assert said.status == 0 or is_refused_well(said), (words, said)
        refused += said.status != 0
    assert refused > 20
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("seed", range(4))
def test_odd_arguments_of_other_commands(dfedsam, seed):
    draw = random.Random(seed)
    commands = ("resume", "sweep", "status", "plot", "report", "export", "doctor", "topology", "walk", "")
    for _ in range(40):
        options = ("out", "rounds", "jobs", "all", "every", "metric", "target", "style", "animate", "list", "json", "x")
        words = [draw.choice(VALUES) for _ in range(draw.randint(0, 2))]
        words += [f"--{draw.choice(options)}={draw.choice(VALUES)}" for _ in range(draw.randint(0, 2))]
        said = dfedsam(draw.choice(commands), "none", *words)
        assert said.status == 0 or is_refused_well(said), (words, said)
    assert list(Path().iterdir()) == []


ODD = (
    *(3, -1, 2.5, 10**23, 10**400, True, None, "", "x", [], {}, [1], [[2]], {"a": 1}, {1: 2}, {"class_path": 3}),
    *({"class_path": "ring", "init_args": 2}, {"class_path": "ring", "init_args": [1]}, {"class_path": "ring", "x": 1}),
    *(
        {"init_args": {"lr": 1}},
        {"class_path": "os.system"},
        {"class_path": None},
        float("inf"),
        "010",
        "1e5",
        "a" * 5000,
    ),
)


def mutate(draw, tree):
    """A copy with one value, somewhere, replaced by an odd one, removed, or put in a list."""
    if isinstance(tree, dict) and tree and draw.random() < 0.85:
        key = draw.choice(list(tree))
        if draw.random() < 0.1:
            return {name: value for name, value in tree.items() if name != key}
        if draw.random() < 0.1:
            return {(f"{key}x" if name == key else name): value for name, value in tree.items()}
        return tree | {key: mutate(draw, tree[key])}
    if isinstance(tree, list) and tree and draw.random() < 0.7:
        at = draw.randrange(len(tree))
        return [*tree[:at], mutate(draw, tree[at]), *tree[at + 1 :]]
    return draw.choice((*ODD, [tree], {"a": tree}))


SMALL = {
    "topology": {"class_path": "link_failures", "init_args": {"topology": "ring", "p": 0.1}},
    "peers": 4,
    "algorithm": {
        "class_path": "dfedsam_mg",
        "init_args": {"lr": 0.1, "gossip": {"class_path": "choco", "init_args": {"compressor": "top_k"}}},
    },
    "objective": {"class_path": "quadratic", "init_args": {"dim": 4}},
    "rounds": 1,
    "seed": 0,
}


@pytest.mark.parametrize("seed", range(3))
def test_odd_experiment_files(dfedsam, seed):
    draw = random.Random(seed)
    for _ in range(50):
        tree = mutate(draw, mutate(draw, SMALL))
        Path("a.yaml").write_text(yaml.safe_dump(tree))
        said = dfedsam("run", "--config", "a.yaml", "--print_config")
        assert said.status == 0 or is_refused_well(said), (tree, said)


@pytest.mark.parametrize("seed", range(3))
def test_odd_sweeps(dfedsam, seed):
    draw = random.Random(seed)
    whole = {"base": SMALL, "grid": {"topology": ["ring", "grid"], "algorithm.lr": [0.1]}, "seeds": 2}
    whole |= {"zip": [{"peers": [4, 6]}], "search": {"option": "algorithm.rho", "values": [0.1, 0.2]}}
    for _ in range(15):
        tree = mutate(draw, mutate(draw, whole))
        Path("a.yaml").write_text(yaml.safe_dump(tree))
        said = dfedsam("sweep", "a.yaml", "--dry-run")
        assert said.status == 0 or is_refused_well(said), (tree, said)


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10))]
)
TEXTS = {
    "an alias bomb": BOMB,
    "an alias bomb in an option": f"{BOMB}\ntopology: *a9",
    "an alias of itself": "topology: &a {class_path: ring, init_args: *a}",
    "a base that holds itself": "base: &a {topology: *a}",
    "deep lists": "rounds: " + "[" * 3000,
    "closed deep lists": "rounds: " + "[" * 900 + "]" * 900,
    "deep mappings": "{a: " * 3000,
    "a timestamp that is none": "rounds: !!timestamp x",
    "a date": "rounds: 2020-01-01",
    "a tag": "rounds: !!binary x",
    "a tag of Python": "rounds: !!python/object/apply:os.getcwd []",
    "a set": "rounds: !!set {a, b}",
    "a key that is a list": "? [a]\n: 3",
    "not UTF-8": b"rounds: \xff\xfe",
    "a zero byte": "rounds: \x00",
    "many seeds": "seeds: 1000000000",
    "more seeds": "seeds: 1" + "0" * 30,
    "two documents": "rounds: 1\n---\nrounds: 2",
    "nothing": "",
    "a number of many digits": "rounds: 1" + "0" * 5000,
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_yaml_that_is_no_experiment(dfedsam, text):
    Path("a.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    for line in ("run --config a.yaml --rounds 1 --print_config", "sweep a.yaml --dry-run"):
        said = dfedsam(*line.split())
        assert is_refused_well(said) or (said.status == 0 and text in ("", TEXTS["a date"])), (line, said)


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_ships_is_an_experiment_or_a_sweep(path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)

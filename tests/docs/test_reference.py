"""The reference is complete, and the schema of experiment files takes all that we ship and show."""

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from dfedsam import registry
from dfedsam.launch import help as plugin_help

ROOT = Path(__file__).parents[2]
TEXTBOOK = {  # kinds and plug-ins that need no source: textbook graphs, distributions and tools
    "topology": "ring path grid torus star complete hypercube ring_lattice circulant binary_tree tree petersen "
    "complete_bipartite two_cliques barbell lollipop directed_ring random_out random_neighbours one_peer_hypercube "
    "one_peer_ring one_peer_grid round_robin random_choice peer_dropout latency from_edges from_file from_weights",
    "weights": "lazy uniform weights_from_file",
    "algorithm": "asynchronous_dfedsam gossip_cmaes local_only",  # ours
    "estimator": "exact",
    "gossip": "median",
    "compressor": "bfloat16 float16 none",
    "adversary": "constant label_flip random_noise sign_flip silent",
    "privacy": "gaussian gaussian_messages laplace",
}
SOURCED = ("topology", "weights", "algorithm", "estimator", "gossip", "compressor", "adversary", "privacy")


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_plug_in_says_what_it_is_what_its_options_mean_and_whence_it_comes(kind):
    for name, plugin in registry.plugins(kind).items():
        assert len(plugin_help.sentence(plugin)) > 15, f"{kind} {name} does not say what it is"
        for key, option in plugin_help.options(kind, plugin).items():
            assert option.text, f"{kind} {name} does not say what its option {key} means"
        if kind in SOURCED and name not in TEXTBOOK.get(kind, "").split():
            texts = f"{inspect.getdoc(plugin)} {sys.modules[plugin.__module__].__doc__}"
            assert re.search(r"\b(19|20)\d\d\b", texts), f"{kind} {name} names no source"


@pytest.fixture(scope="module")
def validator():
    sys.path.insert(0, str(ROOT / "docs/_ext"))
    try:
        schema = importlib.import_module("schema")
    finally:
        sys.path.pop(0)
    return Draft202012Validator(schema.schema())


def test_the_schema_takes_shipped_files_and_those_of_the_pages(validator):
    texts = [path.read_text() for path in (ROOT / "launch/experiments").glob("*.yaml")]
    for page in (ROOT / "docs").rglob("*.md"):
        texts += re.findall(r"%%writefile \w+\.yaml\n(.*?)```", page.read_text(), re.DOTALL)
        texts += [
            text
            for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
            if not re.match(r"#|\w+\.", text)
        ]
    assert len(texts) > 15
    for text in texts:
        validator.validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "rounds: ten",
        "topolgy: ring",
        "algorithm.lr: 0.02",
        "dtype: float16",
        "{base: demo.yaml, gird: {}}",
        "algorithm: {class_path: dfedsam, init_args: 3}",
    ],
)
def test_the_schema_notices(validator, text):
    assert not validator.is_valid(yaml.safe_load(text))

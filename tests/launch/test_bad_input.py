"""Bad input: one line that names the option, the value and the rule; exit status 2; nothing written."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.launch.bad_lines import RUNS
from tests.launch.bad_prompts import PROMPTS
from tests.launch.bad_rules import RULES

CASES = RUNS | RULES | PROMPTS
WORDS = {word: number for number, word in enumerate(["?", "a", "bad", "good", "film", "line"])}
FILES = {
    "word.graphml": "<graph",
    "off.csv": "0.5,0.5,0\n0.5,0,0.6\n0,0.5,0.5\n",
    "gone.csv": "0,0,2\n2,1,3\n1,0,1\n",
    "flat.gml": "graph [ node [ id 0 ] node [ id 1 ] edge [ source 0 target 1 ] ]",
    "apart.edgelist": "0 1\n2 3\n",
    "malformed.yaml": "rounds: [1,\n",
    "slip.yaml": "rouds: 3\n",
    "twice.yaml": "rounds: 3\nrounds: 4\n",
    "tag.yaml": "rounds: !!timestamp x\n",
    "null.json": "null",
    "word.yaml": "rounds\n",
    "dotted.yaml": "peers: 4\nobjective.dim: 5\n",
    "unknown.yaml": "algorithm: {class_path: DFedSAM, init_args: {roh: 3}}\n",
    "plugin.yaml": "algorithm: {class_path: DFedSAM, init_args: {gossip: pigeon}}\n",
    "value.yaml": "rounds: a few\n",
    "words.yaml": "objective: {class_path: prompt_tuning, init_args: {words: [no, yes]}}\n",
    "texts.csv": "text,kind\na good film,1\na bad film,0\n",
    "there/note.txt": "mine\n",
    "few.csv": "text,label\n" + "a bad film,0\n" * 9 + "a good film,1\n",
    "pairs.csv": "a,b,label\n" + "bad,film,0\ngood,film,1\n" * 9,
    "gpt/config.json": '{"model_type": "gpt2"}',
    "odd.gguf": "GGUF\x03\0\0\0" + "\0" * 8 + "\1" + "\0" * 7 + "\x14" + "\0" * 7 + "general.architecture"
    "\x08\0\0\0\6" + "\0" * 7 + "mamba9",
    "tokens/config.json": '{"model_type": "gpt2"}',
    "tokens/tokenizer_config.json": '{"tokenizer_class": "PreTrainedTokenizerFast"}',
    "tokens/tokenizer.json": json.dumps(
        {
            "version": "1.0",
            "added_tokens": [],
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "normalizer": {"type": "Replace", "pattern": {"String": "_"}, "content": " "},
            "model": {"type": "WordLevel", "vocab": WORDS, "unk_token": "?"},
        }
    ),
    "enough.csv": "text,label\n" + "a bad film,0\na good film,1\n" * 9,
}


@pytest.mark.parametrize(("line", "pattern"), CASES.values(), ids=CASES)
def test_one_line_and_nothing_written(dfedsam, line, pattern):
    for name, text in FILES.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    said = dfedsam(*line.split())
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert re.search(pattern, said.err), said.err
    assert said.out == ""
    assert {str(path) for path in Path().rglob("*") if path.is_file()} == set(FILES)
    assert not Path("runs").exists()


ASKED = (
    "run --objective prompt_tuning --objective.data enough.csv --objective.words bad,good --objective.min_examples 1"
    " --objective.model tokens --objective.prompt a --objective.parameters discrete_prompt --peers 2 --quiet"
    " --algorithm.estimator policy_gradient --objective.blackbox endpoint"
)
REFUSALS = {
    "a chat template that the model lacks": (
        "chat", 400, '{"error": "default chat template is no longer allowed, so you must provide a chat template"}',
        "its model has no chat template: choose the protocol completions",
    ),
    "log-probabilities refused at any size": (
        "chat", 400, '{"error": "top_logprobs is not supported"}', "choose the protocol labels",
    ),
    "a service without log-probabilities": (
        "completions", 200, '{"choices": [{"text": "good"}]}',
        "no logprobs of a next token.*choose the protocol labels",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("protocol", "status", "answer", "pattern"), REFUSALS.values(), ids=REFUSALS)
def test_a_service_that_refuses(dfedsam, monkeypatch, tmp_path_factory, protocol, status, answer, pattern):
    monkeypatch.setenv("DFEDSAM_CACHE", str(tmp_path_factory.mktemp("cache")))
    for name in ("enough.csv", *(name for name in FILES if name.startswith("tokens/"))):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(FILES[name])
    before = sorted(Path().rglob("*"))
    with answering(status, answer) as url:
        box = f"--objective.blackbox.url {url} --objective.blackbox.protocol {protocol} --objective.blackbox.retries 0"
        said = dfedsam(*f"{ASKED} {box} --objective.blackbox.key_variable=".split())
    assert (said.status, said.out) == (2, "")
    assert said.err.splitlines()[-1].startswith("dfedsam run: ")
    assert re.search(pattern, said.err), said.err
    assert sorted(Path().rglob("*")) == before


@contextmanager
def answering(status, answer):
    """The address of a server that gives everyone this answer."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format, *args):
            """Quiet."""

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


@pytest.mark.parametrize(("damage", "pattern"), [
    (lambda folder: (folder / "checkpoint.safetensors").unlink(), "checkpoint.*does not exist"),
    (lambda folder: cut(folder / "checkpoint.safetensors"), "checkpoint.*cannot be read: it is cut short"),
    (lambda folder: (folder / "checkpoint.safetensors").write_text("mine"), "checkpoint.*cannot be read"),
    (lambda folder: other(folder / "config.yaml"), "belongs to another experiment"),
], ids=["no checkpoint", "cut short", "not ours", "another experiment"])  # fmt: skip
def test_a_run_that_cannot_go_on(dfedsam, damage, pattern):
    dfedsam("run", "--rounds", "2", "--out", "a")
    damage(Path("a"))
    before = {path: path.read_bytes() for path in Path("a").iterdir()}
    said = dfedsam("resume", "a", "--rounds", "4")
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert re.search(pattern, said.err), said.err
    assert {path: path.read_bytes() for path in Path("a").iterdir()} == before


def test_a_link_to_itself_is_no_run(dfedsam):
    Path("itself").symlink_to("itself")
    said = dfedsam("plot", "itself")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "itself: must be a run or a study" in said.err


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("options", [
    "--algorithm fedbbpt --algorithm.alpha 1e300", "--algorithm.estimator spsa --algorithm.estimator.gamma 1e5",
    "--algorithm oledfl --algorithm.beta 1e300",
])  # fmt: skip
def test_options_far_out_of_scale_end_the_run_in_one_line(dfedsam, options):
    said = dfedsam("run", *options.split(), "--rounds", "3", "--out", "a")
    assert said.status == 1
    assert "Traceback" not in said.err
    assert re.search(
        r"^dfedsam run: round \d, .*(out of range|not finite).*the last checkpoint is kept in a\n$", said.err
    )


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def other(path):
    path.write_text(path.read_text().replace("seed: 0", "seed: 1"))


def test_no_launcher(dfedsam, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    said = dfedsam("run", "--ranks", "2")
    assert said.status == 2
    assert re.fullmatch(r"dfedsam run: ranks is 2: .*mpirun is not found.*pip install mpich.*\n", said.err)


def test_a_traceback_where_it_is_asked_for(dfedsam, monkeypatch):
    monkeypatch.setenv("DFEDSAM_TRACEBACK", "1")
    assert "Traceback" in dfedsam("run", "--algorithm.rho", "-1").err

"""An HTTP endpoint: requests a second against what the same server answers to a bare loop of as many threads."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx2 as httpx
import numpy as np

from dfedsam.blackbox import EndpointConfig
from dfedsam.blackbox.base import TaskSpec
from dfedsam.data.split import Examples
from tests.benchmarks import Row, seconds
from tests.dfedsam.blackbox.completions_server import KEY, serve
from tests.dfedsam.blackbox.language_models import TEXTS, build

IN_FLIGHT, REQUESTS, DELAY = 16, 160, 0.04


def run() -> list[Row]:
    """A server that takes 40 ms a request beside its model, as a remote one might."""
    os.environ["OPENAI_API_KEY"] = KEY
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "model")
        folder.mkdir()
        examples = Examples(texts=TEXTS[:4], labels=np.zeros(4, np.int64), classes=(0, 1))
        words = ("lin", "goo")  # often among the most likely for this untrained model
        task = TaskSpec(model=str(build("gpt2", folder)), words=words, examples=examples, prompt="a film")
        with serve(folder) as server:
            cache = str(Path(scratch, "answers.sqlite"))
            config = EndpointConfig(url=server.url, served="m", in_flight=IN_FLIGHT, cache_path=cache)
            box = config.build(task)
            numbers, server.delay = count(), DELAY

            def ours() -> None:
                draws = np.random.default_rng(next(numbers))
                prompts = draws.normal(size=(1, REQUESTS // 4, 8, 16)).astype(np.float32)
                box.scores(prompts, np.arange(4)[None])

            ours()
            bodies = server.bodies[-REQUESTS:]
            limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
            headers = {"Authorization": f"Bearer {KEY}"}
            with (
                httpx.Client(headers=headers, limits=limits, trust_env=False) as client,
                ThreadPoolExecutor(IN_FLIGHT) as team,
            ):

                def bare() -> None:
                    list(team.map(lambda body: client.post(f"{server.url}/completions", json=body).json(), bodies))

                took = seconds({"ours": ours, "bare": bare}, repeats=5)
    return [
        Row(
            what=f"requests to an endpoint, {IN_FLIGHT} in flight, 40 ms each",
            floor="a bare loop of as many threads over the same requests",
            ratio=took["bare"] / took["ours"],
            target=0.9,
            figures=f"{REQUESTS / took['ours']:.0f} against {REQUESTS / took['bare']:.0f} a second",
        )
    ]

"""Forecasts against runs: what is counted must be equal."""

import time
from pathlib import Path

import numpy as np
import pytest

from dfedsam import DFedSAMMG, Exact, Experiment, TwoPoint, forecast, run, topologies
from dfedsam.blackbox import DualEncoderConfig
from dfedsam.communication import SingleProcess
from dfedsam.objectives import PromptTuning
from tests.dfedsam.contract_cases import CASES, PEERS

SCHEDULES = [topologies.make(name, PEERS, 0) for name in ("one_peer_exponential", "link_failures")]
SOME = [case for number, case in enumerate(CASES.values()) if number % 5 == 3]


@pytest.mark.parametrize("case", SOME, ids=lambda case: str(case[2])[:40])
def test_queries_and_bytes_are_those_of_the_run(case):
    objective, topology, algorithm = case[:3]
    experiment = Experiment(
        objective=objective, topology=topologies.make(topology, PEERS), algorithm=algorithm, rounds=30, evaluate_every=7
    )
    check(experiment)


@pytest.mark.parametrize("topology", SCHEDULES, ids=["periodic", "random"])
def test_schedules_are_rehearsed_until_they_repeat(topology):
    check(Experiment(objective=CASES[next(iter(CASES))][0], topology=topology, algorithm=DFedSAMMG(), rounds=30))


def check(experiment):
    counts, communicator = forecast.rehearse(experiment, SingleProcess(PEERS)), SingleProcess(PEERS)
    last = run(experiment, communicator=communicator).rows[-1]
    found = counts.queries, counts.gradients, counts.messages, counts.bytes
    asked = round(last["queries"] * PEERS), round(last.get("gradients", 0) * PEERS)
    assert found == (*asked, communicator.messages, communicator.bytes)


@pytest.mark.parametrize(("mode", "estimator"), [("words", TwoPoint()), ("text", TwoPoint()), ("text", Exact())])
def test_tokens_are_those_that_the_model_reads(mode, estimator, encoder_folder: Path, reviews: Path, monkeypatch):
    from dfedsam.blackbox.dual_encoder import DualEncoder

    read, plain = [], DualEncoder._scores

    def scores(self, prompts, examples):
        read.append(prompts.shape[1] * self._tokens(prompts.shape[2], examples))
        return plain(self, prompts, examples)

    experiment = Experiment(
        objective=PromptTuning(
            data=str(reviews), words="bad, good", model=str(encoder_folder), prompt="a film", validation=0.3,
            min_examples=3, batch_size=3, blackbox=DualEncoderConfig(mode=mode),
        ),
        topology=topologies.make("ring", 4),
        algorithm=DFedSAMMG(estimator=estimator, local_steps=1),
        rounds=11,
        evaluate_every=3,
    )  # fmt: skip
    counts = forecast.rehearse(experiment, SingleProcess(4))
    monkeypatch.setattr(DualEncoder, "_scores", scores)
    run(experiment, communicator=SingleProcess(4))
    assert counts.prompt_tokens == sum(read)
    assert counts.requests == 0


def test_times_cover_every_part_of_a_run():
    experiment = Experiment(
        objective=CASES[next(iter(CASES))][0], topology=topologies.make("ring", PEERS), algorithm=DFedSAMMG(), rounds=9,
        evaluate_every=4,
    )  # fmt: skip
    speed, _ = forecast.calibrate(experiment, SingleProcess(PEERS), seconds=0.05)
    parts = speed.parts(experiment)
    assert parts["rounds"] == pytest.approx(speed.rounds[0] + 8 * forecast._usual(speed.rounds))
    assert len(speed.rounds) >= 2
    assert parts["evaluations"] == pytest.approx(speed.evaluations[0] + 3 * forecast._usual(speed.evaluations))
    assert all(np.isfinite(value) and value >= 0 for value in parts.values())
    assert speed.memory > 10e6


def test_the_checkpoint_at_the_end_of_the_trial_is_no_part_of_a_round(monkeypatch):
    save = forecast.Checkpoints.after_round

    def slowly(self, run):
        if run.stopped:
            time.sleep(0.2)
        save(self, run)

    monkeypatch.setattr(forecast.Checkpoints, "after_round", slowly)
    experiment = Experiment(
        objective=CASES[next(iter(CASES))][0], topology=topologies.make("ring", PEERS), algorithm=DFedSAMMG(),
        rounds=10_000, evaluate_every=10_000, checkpoint_every=10_000,
    )  # fmt: skip
    speed, _ = forecast.calibrate(experiment, SingleProcess(PEERS), seconds=0.01)
    assert (len(speed.checkpoints), len(speed.evaluations)) == (2, 2)  # at the start and at the end
    assert speed.checkpoints[-1] > 0.2 > max(speed.rounds)

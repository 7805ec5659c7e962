"""The loop against an independent oracle, closed forms, and what must stay equal through splits and resumes."""

import networkx as nx
import numpy as np
import pytest

from dfedsam import (
    DPSGD,
    CentralAverage,
    DFedAvg,
    DFedSAM,
    DFedSAMMG,
    Exact,
    Experiment,
    FileError,
    LogisticRegression,
    OptionError,
    Plain,
    Quadratic,
    RunError,
    TwoPoint,
    run,
    simulate,
    topologies,
)
from dfedsam.callbacks.base import Callback
from dfedsam.callbacks.rounds import Interrupt
from dfedsam.random import RandomStream
from tests.dfedsam.contract_cases import ALGORITHMS, label
from tests.results import final_state, without_clock


def dense_dpsgd(graph, optima, lr, rounds, slope):
    """D-PSGD written plainly, with a dense W: an oracle that shares nothing with the package but the random numbers."""
    n = graph.number_of_nodes()
    w = np.zeros((n, n))
    for i, j in graph.edges:
        w[i, j] = w[j, i] = 1 / (1 + max(graph.degree[i], graph.degree[j]))
    w += np.diag(1 - w.sum(axis=1))
    x = np.zeros_like(optima)
    for t in range(rounds):
        g = np.stack([slope(t, i, x[i], optima[i]) for i in range(n)])
        x = w @ (x - lr * g)
    return x


@pytest.mark.parametrize(
    "graph", [nx.path_graph(7), nx.barabasi_albert_graph(9, 2, seed=1)], ids=["path", "scale-free"]
)
def test_d_psgd_equals_the_dense_oracle(graph, tmp_path):
    n = graph.number_of_nodes()
    objective = Quadratic(dim=5)
    optima = objective.build(n, range(n), 0, np.float64).optima
    options = {"objective": objective, "topology": graph, "dtype": "float64", "rounds": 20, "evaluate_every": 20}
    simulate(**options, algorithm=DPSGD(lr=0.2, estimator=Exact()), out=tmp_path / "exact")
    oracle = dense_dpsgd(graph, optima, 0.2, 20, lambda t, i, x, b: x - b)
    np.testing.assert_allclose(final_state(tmp_path / "exact", n), oracle, atol=1e-12)

    def two_point(t, i, x, b):
        g = np.zeros(5)
        for u in RandomStream(0, "descent", t, 0, range(i, i + 1)).rademacher((3, 5), np.float64)[0]:
            g += ((x + 0.01 * u - b) @ (x + 0.01 * u - b) - (x - 0.01 * u - b) @ (x - 0.01 * u - b)) / 0.04 / 3 * u
        return g

    algorithm = DPSGD(lr=0.05, estimator=TwoPoint(directions=3, mu=0.01))
    simulate(**options, algorithm=algorithm, out=tmp_path / "two_point")
    oracle = dense_dpsgd(graph, optima, 0.05, 20, two_point)
    np.testing.assert_allclose(final_state(tmp_path / "two_point", n), oracle, atol=1e-10)


@pytest.mark.parametrize(
    "objective", [Quadratic(dim=9, noise=0.1), LogisticRegression()], ids=["quadratic", "logistic"]
)
@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=label)
def test_cutting_a_block_for_the_cache_changes_nothing(objective, algorithm, monkeypatch):
    options = {"objective": objective, "topology": topologies.make("ring", 5), "cosine": True}
    experiment = Experiment(**options, algorithm=algorithm, rounds=3)
    whole = run(experiment).rows
    monkeypatch.setattr("dfedsam.objectives.base.Problem.chunk_bytes", 1)  # a peer at a time
    assert without_clock(run(experiment).rows) == without_clock(whole)


def test_rho_zero_is_dfedavg_and_q_one_is_dfedsam():
    options = {"objective": Quadratic(dim=9, noise=0.1), "topology": topologies.make("ring", 5), "rounds": 5}
    plain = simulate(**options, algorithm=DFedAvg(lr=0.05))
    np.testing.assert_array_equal(simulate(**options, algorithm=DFedSAM(lr=0.05, rho=0))["loss"], plain["loss"])
    one = simulate(**options, algorithm=DFedSAMMG(lr=0.05, gossip=Plain(steps=1)))
    np.testing.assert_array_equal(one["loss"], simulate(**options, algorithm=DFedSAM(lr=0.05))["loss"])


def test_a_complete_graph_is_the_central_average():
    options = {"objective": Quadratic(dim=9, noise=0.1), "rounds": 5, "dtype": "float64"}
    options["topology"] = topologies.make("complete", 5)
    gossip = simulate(**options, algorithm=DFedAvg(lr=0.05))
    server = simulate(**options, algorithm=CentralAverage(lr=0.05))
    np.testing.assert_allclose(gossip["loss"], server["loss"], rtol=1e-12)


def test_more_gossip_steps_bring_dfedsam_nearer_to_the_optimum():
    options = {"objective": Quadratic(dim=20), "topology": topologies.make("ring", 16), "rounds": 200}
    errors = [
        simulate(**options, algorithm=DFedSAM(lr=0.1, rho=0.01, estimator=Exact(), gossip=Plain(steps=q)))
        for q in (1, 4)
    ]
    assert errors[1]["loss_local"].iloc[-1] < errors[0]["loss_local"].iloc[-1]
    assert errors[1]["consensus_distance"].iloc[-1] < 0.5 * errors[0]["consensus_distance"].iloc[-1]


def test_accuracies_of_logistic_regression_rise_and_are_ordered():
    frame = simulate(
        objective=LogisticRegression(),
        topology=topologies.make("ring", 8),
        algorithm=DFedAvg(lr=0.5, estimator=Exact()),
        rounds=15,
        evaluate_every=5,
    )
    last = frame.metrics.iloc[-1]
    assert list(frame["round"]) == [0, 5, 10, 15]
    assert last["accuracy"] > 0.8 > frame["accuracy"].iloc[0]
    assert last["accuracy_worst"] <= last["accuracy_local"] <= 1
    assert last["gradients"] == 15 * 5
    assert last["queries"] == 0


def test_cosine_of_the_exact_gradient_is_one_and_of_q_directions_about_root_q_over_d():
    options = {"objective": Quadratic(dim=100), "topology": topologies.make("ring", 16), "rounds": 3, "cosine": True}
    exact = simulate(**options, algorithm=DPSGD(estimator=Exact()))
    np.testing.assert_allclose(exact["cosine"][1:], 1, atol=1e-6)
    random = simulate(**options, algorithm=DPSGD(lr=1e-3, estimator=TwoPoint(directions=9)))
    assert random["cosine"].iloc[-1] == pytest.approx(0.3, abs=0.05)
    assert random["queries"].iloc[-1] == 3 * 18  # watching costs no queries


def test_a_diverging_run_stops_with_the_round_and_the_peers_and_keeps_its_checkpoint(tmp_path):
    topology = topologies.make("ring", 4)
    experiment = Experiment(
        objective=Quadratic(dim=5), topology=topology, algorithm=DFedAvg(lr=1e25), checkpoint_every=1
    )
    with pytest.raises(RunError, match=r"round \d+, local step \d, peers 0, 1, 2, 3: the loss is not finite"):
        run(experiment, out=tmp_path / "run")
    assert np.isfinite(final_state(tmp_path / "run", 4)).all()


def test_stop_ends_after_the_round_with_a_checkpoint_and_resume_ends_the_same(tmp_path):
    options = {
        "objective": Quadratic(dim=5),
        "topology": topologies.make("ring", 4),
        "algorithm": DFedSAM(),
        "rounds": 9,
    }
    asked, experiment = iter(range(100)), Experiment(**options)
    stopped = run(experiment, out=tmp_path / "a", callbacks=[Interrupt(lambda: next(asked) == 4)])
    assert stopped.rows[-1]["round"] == 4
    assert stopped.stopped == "interrupted"
    resumed = run(experiment, out=tmp_path / "a", resume=True)
    assert resumed.stopped is None
    assert without_clock(resumed.rows) == without_clock(run(experiment).rows)


def test_what_callbacks_keep_and_record_survives_a_resume(tmp_path):
    class Total(Callback):
        def on_start(self, run):
            run.kept.setdefault("total.norms", np.zeros(len(run.communicator.block)))

        def after_round(self, run):
            run.kept["total.norms"] += np.linalg.norm(run.x, axis=1)

        def metrics(self, run):
            return {"total": float(run.communicator.gather(run.kept["total.norms"]).sum())}

    options = {
        "objective": Quadratic(dim=4),
        "topology": "ring",
        "peers": 5,
        "algorithm": DPSGD(),
        "checkpoint_every": 2,
    }
    whole = simulate(rounds=6, callbacks=[Total()], **options)
    simulate(rounds=4, callbacks=[Total()], out=tmp_path / "run", **options)
    rest = simulate(rounds=6, callbacks=[Total()], out=tmp_path / "run", resume=True, **options)
    assert list(whole["total"]) == list(rest["total"])
    assert whole["total"].iloc[1] == 0 < whole["total"].iloc[2]


def test_what_usually_goes_wrong_is_said_once(caplog):
    options = {"topology": "ring", "peers": 4, "rounds": 3, "objective": "quadratic"}
    simulate(algorithm=DFedSAM(lr=1e3), **options)
    simulate(algorithm=DFedSAM(estimator=TwoPoint(mu=1e-9)), **options)
    simulate(algorithm=DFedSAM(), **options)
    said = [record.getMessage().partition(": round ")[2] for record in caplog.records]
    assert len(said) == 2
    assert "the loss has grown from" in said[0]
    assert said[1].startswith("1: no peer has moved")


def test_metrics_that_are_not_finite_are_missing(tmp_path):
    class Bad(Callback):
        def metrics(self, run):
            return {"bad": float("inf")}

    simulate(objective="quadratic", topology="ring", algorithm="dpsgd", rounds=1, callbacks=[Bad()], out=tmp_path / "a")
    assert "Infinity" not in (tmp_path / "a" / "metrics.jsonl").read_text()
    assert '"bad": null' in (tmp_path / "a" / "metrics.jsonl").read_text()


def test_a_state_beyond_memory_is_refused_before_the_work():
    with pytest.raises(OptionError, match=r"algorithm is bbt: it must fit into memory.* 16,000 GB"):
        simulate(objective=Quadratic(dim=10**6), topology="ring", peers=2, algorithm="bbt", rounds=1)


def test_a_folder_is_never_overwritten_and_another_experiment_never_resumed(tmp_path):
    options = {
        "objective": Quadratic(dim=5),
        "topology": topologies.make("ring", 4),
        "out": tmp_path / "a",
    }
    simulate(**options, algorithm=DPSGD(), rounds=2)
    with pytest.raises(OptionError, match="nothing is ever overwritten"):
        simulate(**options, algorithm=DPSGD(), rounds=2)
    with pytest.raises(FileError, match="another experiment"):
        simulate(**options, algorithm=DPSGD(lr=0.5), rounds=2, resume=True)
    with pytest.raises(OptionError, match=r"rounds is 1: it must be at least 2"):
        simulate(**options, algorithm=DPSGD(), rounds=1, resume=True)


@pytest.mark.parametrize(("name", "value"), [
    ("rounds", -1), ("seed", -1), ("seed", 1 << 64), ("dtype", "int8"), ("evaluate_every", 0), ("checkpoint_every", 0),
])  # fmt: skip
def test_bad_values_are_named_before_anything_is_written(name, value, tmp_path):
    options = {"objective": Quadratic(), "topology": topologies.make("ring", 4), "algorithm": DPSGD()}
    with pytest.raises(ValueError, match=f"{name} is {value}: it must be"):
        simulate(**options, out=tmp_path / "a", **{name: value})
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"algorithm": DFedSAM}, "algorithm is .*: it must be a name, or an instance of a class derived from"),
        ({"objective": lambda x: x @ x}, "objective is .*: it must be a name, or an instance of a class derived from"),
        ({"topology": 4}, "topology is 4: it must be a name, a graph"),
        ({"topology": np.full((4, 4), 0.25)}, "a matrix must be sparse"),
        ({"peers": 6}, "peers is 6: it must be 4"),
        ({"privacy": "gaussian"}, "privacy.epsilon is None: it must be given"),
        ({"clock": "fast"}, "clock is fast: it must be one of simulated"),
        ({"callbacks": [print]}, "callbacks must be a list of Callback objects"),
    ],
)
def test_wrong_kinds_of_values_are_named(wrong, message):
    options = {"objective": Quadratic(dim=3), "topology": topologies.make("ring", 4), "algorithm": DPSGD(), "rounds": 1}
    with pytest.raises(ValueError, match=message):
        simulate(**{**options, **wrong})


def test_names_stand_for_plugins_and_one_metric_for_a_list():
    options = {"objective": "quadratic", "topology": nx.path_graph(4), "algorithm": "dpsgd", "rounds": 1}
    result = simulate(**options, clock="simulated", metrics="distance")
    assert {"time", "distance"} <= set(result.metrics)

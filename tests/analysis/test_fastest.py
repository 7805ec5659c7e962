"""Who reaches the target first: the seconds are those of the simulator's clock."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from dfedsam import clock, topologies
from dfedsam.analysis.plot import fastest
from dfedsam.analysis.plot.fastest import GRID, Points, draw_fastest, seconds_of_rounds, sorted_edges
from dfedsam.analysis.read.runs import read_study
from dfedsam.analysis.report.figures import items
from dfedsam.analysis.summary import summarise
from tests.analysis.quadratic_study import write_study


@pytest.mark.parametrize(("name", "steps"), [("star", 1), ("torus", 3), ("one_peer_exponential", 1), ("el_local", 2)])
def test_seconds_are_those_of_the_clock(name, steps):
    topology = topologies.make(name, 16, 3)
    points = Points(*(np.array(part) for part in ([1e6, 1e7, 1e8], [0.1, 1e-3, 0.0], [1.0, 10.0, 4.0])))
    played = []
    for bandwidth, latency, factor in zip(*points, strict=True):
        links = clock.UniformLinks(latency=latency, bandwidth=bandwidth)
        slow = clock.TwoSpeeds(mean=0.04, slow=0.1, factor=factor)
        time = clock.SynchronousTime(clock.Clock(compute=slow, links=links), 16, seed=5)
        for t in range(12):
            time.advance(t, [(topology.weights(t), 5000)] * steps, np.zeros(16))
        played.append(time.metrics["time"])

    def edges(t):
        return sorted_edges(np.argwhere(csr_array(topology.weights(t)).toarray().T), directed=True)

    options = {"rounds": 12, "steps": steps, "size": 5000, "compute": 0.04, "seed": 5, "points": points}
    np.testing.assert_allclose(seconds_of_rounds(16, edges, **options), played, rtol=1e-12)


def test_equal_peers_of_a_regular_graph_take_rounds_times_a_closed_form():
    edges = sorted_edges(np.argwhere(topologies.make("ring", 12, 0).weights(0).toarray()), directed=True)
    seconds = seconds_of_rounds(12, lambda _: edges, rounds=7, steps=2, size=1e4, compute=0.3, seed=0)
    equal = GRID.factor == 1
    form = 7 * (0.3 + 2 * (GRID.latency + 2 * 8e4 / GRID.bandwidth))
    np.testing.assert_allclose(seconds[equal], form[equal], rtol=1e-12)
    slowest = 7 * 3.0  # the slow peer's computations, which nothing shortens
    assert (seconds[~equal] >= slowest).all()


def test_a_study_says_who_is_fastest_where(tmp_path):
    study = read_study([write_study(tmp_path, seeds=1)])
    summary = summarise(study, "error_local")
    item = next(item for item in items(study, summary) if item.name == "fastest")
    assert set(item.table["facet"]) >= {"4 peers, heterogeneity = 0.5", "12 peers, heterogeneity = 1"}
    for _, part in item.table.groupby(["facet", "bandwidth", "latency", "factor"]):
        assert part["fastest"].sum() >= 1
        assert (part.loc[part["fastest"], "seconds"] == part["seconds"].min()).all()
    figure = draw_fastest(item.table)
    assert [ax.get_title() for ax in figure.axes[:2]] == [
        "4 peers, heterogeneity = 0.5, equal peers", "4 peers, heterogeneity = 0.5, a tenth of the peers 10 × slower",
    ]  # fmt: skip
    assert all(sentence.endswith("of 24 points") for sentence in fastest.fastest(item.table))

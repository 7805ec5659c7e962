"""The drawing of a topology holds what it says."""

import networkx as nx
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch

from dfedsam.analysis.plot import consensus, graph as graphs, style, topology as drawing
from dfedsam.topologies import (
    barbell,
    binary_tree,
    complete_bipartite,
    davis,
    directed_ring,
    eigenvalues,
    grid,
    hypercube,
    make,
    petersen,
    random_out,
    ring,
    slem,
    star,
    torus,
    tree,
    watts_strogatz,
)
from tests.topologies.sizes import SIZES


def some_size(name):
    """16 peers, or a number that the graph takes."""
    return 16 if 16 in SIZES[name] else SIZES[name][-1]


@pytest.mark.parametrize("name", SIZES)
def test_every_graph_is_drawn(name):
    topology = make(name, some_size(name))
    n = topology.n
    figure = drawing.draw_topology(topology)
    graph_axes, spectrum_axes = figure.axes
    edges = topology.graph(0).number_of_edges()
    assert f"{n} peers, {edges} edges" in graph_axes.get_title()
    (lines,) = (item for item in graph_axes.collections if isinstance(item, LineCollection))
    around = 8 if name == "torus" else 0  # each edge around a torus is two stubs
    assert len(lines.get_segments()) == edges + around
    numbers = {text.get_text() for text in graph_axes.texts}
    assert numbers == {str(peer) for peer in range(n)} or (n > 16 and not numbers)  # of many peers none bears one

    drawn = np.concatenate([np.asarray(dots.get_offsets()) for dots in spectrum_axes.collections])
    drawn = drawn[np.argsort(drawn[:, 0])]
    np.testing.assert_array_equal(drawn[:, 0], np.arange(1, n + 1))
    np.testing.assert_allclose(drawn[:, 1], eigenvalues(topology.weights(0)), atol=1e-12)
    assert "gap" in spectrum_axes.get_title()


@pytest.mark.parametrize("n", [3, 16, 64, 1000])
def test_ranks_are_counted_from_one(n):
    ticks = drawing.draw_topology(make("ring", n)).axes[1].get_xticks()
    assert ticks[0] == 1
    assert ticks[-1] <= n
    assert (np.diff(ticks) > 0).all()


def test_the_figures_in_the_title_and_the_gap():
    _, axes = drawing.draw_topology(make("torus", 16)).axes
    assert "λ = 0.6, gap 0.4, smallest eigenvalue −0.6" in axes.get_title()
    (band,) = axes.patches
    low, high = band.get_extents().transformed(axes.transData.inverted()).intervaly
    assert (low, high) == pytest.approx((0.6, 1))
    assert "smallest eigenvalue 0\n" in drawing.draw_topology(make("star", 16)).axes[1].get_title()


def test_large_graphs_show_the_ends_of_their_spectrum_and_no_numbers(monkeypatch):
    monkeypatch.setattr(drawing, "ALL", 100)
    graph_axes, spectrum_axes = drawing.draw_topology(make("ring", 144)).axes
    assert not graph_axes.texts
    assert sum(len(np.asarray(dots.get_offsets())) for dots in spectrum_axes.collections) == 3
    assert "first, second and last" in spectrum_axes.get_ylabel()


def test_any_graph_of_networkx_and_its_file(tmp_path):
    figure = drawing.draw_topology(make(nx.davis_southern_women_graph()))
    assert "32 peers, 89 edges" in figure.axes[0].get_title()
    (path,) = style.save(figure, tmp_path / "davis.png")
    assert path.stat().st_size > 10_000


def test_layouts_are_what_one_would_draw():
    by_hand = (ring(7), grid(12), torus(12), star(9), hypercube(64), binary_tree(20), tree(14), petersen(), davis())
    for graph in (*by_hand, complete_bipartite(9), complete_bipartite(9, 1), random_out(9), nx.path_graph(150)):
        points = graphs.layout(graph)
        assert points.shape == (len(graph), 2)
        assert np.isfinite(points).all()
        assert len(np.unique(points.round(6), axis=0)) == len(graph)  # no two peers on one point
        np.testing.assert_array_equal(points, graphs.layout(graph))
    distances = np.linalg.norm(graphs.layout(ring(7)), axis=1)
    np.testing.assert_allclose(distances, 1)
    np.testing.assert_allclose(graphs.layout(directed_ring(7)), graphs.layout(ring(7)))
    np.testing.assert_array_equal(graphs.layout(star(9))[0], [0, 0])
    np.testing.assert_array_equal(graphs.layout(grid(12))[5], [1, -1])
    heights = graphs.layout(binary_tree(7))[:, 1]
    assert (heights[0] > heights[1:3]).all()
    assert (heights[1:3, None] > heights[3:]).all()
    sides = graphs.layout(davis())[:, 0].round(9)
    assert len(set(sides[:18])) == len(set(sides[18:])) == 1
    assert sides[0] < sides[18]
    np.testing.assert_allclose(graphs.layout(watts_strogatz(20, seed=0)), graphs.layout(ring(20)))
    assert not np.allclose(np.linalg.norm(graphs.layout(barbell(20)), axis=1), 1)  # no ring


def test_points_in_space_are_not_drawn_as_they_are():
    graph = make("networkx.random_geometric_graph", 16, radius=0.8, dim=3).graph(0)
    assert len(graph.nodes[0]["pos"]) == 3
    assert graphs.layout(graph).shape == (16, 2)


def test_a_directed_graph_has_arrows_and_eigenvalues_in_the_plane():
    topology = make("directed_exponential", 16)
    graph_axes, plane = drawing.draw_topology(topology).axes
    assert "each sends to 4, receives from 4" in graph_axes.get_title()
    arrows = [patch for patch in graph_axes.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == 64 - 8  # i → i + 8 and back are one arrow with two heads
    drawn = np.concatenate([np.asarray(dots.get_offsets()) for dots in plane.collections])
    found = np.sort_complex((drawn @ [1, 1j]).round(9))
    expected = np.sort_complex(np.linalg.eigvals(topology.weights(0).toarray()).round(9))
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert "= 0.6" in plane.get_title()  # (τ - 1)/(τ + 1), τ = 4
    assert "for push-sum" in drawing.draw_topology(make("random_out", 12, 0)).axes[1].get_title()
    assert "biased" in drawing.draw_topology(make("star", 12, weights="uniform")).axes[1].get_title()


@pytest.mark.parametrize(("name", "panels"), [("one_peer_exponential", 4), ("base", 4), ("random_matching", 8)])
def test_a_schedule_is_drawn_round_by_round_beside_the_distance_that_it_leaves(name, panels):
    topology = make(name, 16, 0)
    *rounds, error = drawing.draw_topology(topology).axes
    assert [axes.get_title() for axes in rounds] == [f"t = {t}" for t in range(panels)]
    line, *theory = error.get_lines()
    np.testing.assert_allclose(np.asarray(line.get_ydata()), consensus.gossip_errors(topology))
    if name == "random_matching":
        slope = np.asarray(theory[0].get_ydata())
        steps = np.ptp(np.asarray(theory[0].get_xdata()))
        assert (slope[-1] / slope[0]) ** (2 / steps) == pytest.approx(14 / 30)  # (n - 2)/(2 (n - 1))
    else:
        assert "exact after 4 rounds" in error.get_title()


def test_peers_that_are_away_are_hollow_and_stand_where_the_graph_has_them():
    inner = {"class_path": "grid", "init_args": {"rows": 2}}
    topology = make("peer_dropout", 8, 0, topology=inner, absences=[[3, 0, 0]])
    first = drawing.draw_topology(topology).axes[0]
    there, away = (np.asarray(dots.get_offsets()) for dots in first.collections if not isinstance(dots, LineCollection))
    assert len(there) == 7
    np.testing.assert_allclose(away, [graphs.layout(grid(8, rows=2))[3]])


def test_what_gossip_leaves_is_a_power_of_lambda():
    topology = make("ring", 12)
    found = consensus.gossip_errors(topology)
    np.testing.assert_allclose(found, slem(topology.weights(0)) ** np.arange(len(found)), rtol=1e-6)
    large = consensus.gossip_errors(make("complete", consensus.EXACT + 2))
    assert large[0] == 1
    assert large[1] < 1e-12


def test_push_sum_is_looked_at_where_only_columns_sum_to_one():
    found = consensus.gossip_errors(make("random_out", 10, 1, degree=3))
    assert found[-1] < consensus.AGREED


def test_springs_keep_the_shape_of_a_large_graph():
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(15, 15))
    points = graphs.layout(graph)
    ends = points[np.array(graph.edges())]
    edges = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert edges.max() < 0.4 * apart.max()  # no edge across the drawing
    assert apart[np.triu_indices(225, 1)].min() > 0.1 * np.median(edges)
    np.testing.assert_array_equal(points, graphs.layout(graph))

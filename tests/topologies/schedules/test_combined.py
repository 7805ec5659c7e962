"""Several topologies in turn, or one of them drawn in each round."""

import numpy as np
import pytest

from dfedsam.topologies import make, random_choice, round_robin, verify


def same(A, B):
    np.testing.assert_array_equal(A.toarray(), B.toarray())


def test_each_plays_its_own_rounds_round_robin():
    exponential, star = make("one_peer_exponential", 16), make("star", 16)
    mixed = round_robin(16, ["one_peer_exponential", "star", {"class_path": "grid", "init_args": {"rows": 2}}])
    assert mixed.period == 3 * 4
    assert mixed.directed
    for t in range(24):
        own, place = divmod(t, 3)
        if place < 2:
            same(mixed.weights(t), (exponential, star)[place].weights(own))
        assert mixed.weights(t) is mixed.weights(t + mixed.period)
        assert mixed.graph(t).is_directed()
    verify(mixed)


def test_only_the_union_need_be_connected():
    halves = [{"class_path": "dfedsam.topologies.one_peer_hypercube", "init_args": {}}, "random_matching"]
    verify(round_robin(8, halves))
    assert round_robin(8, halves).support() is None
    assert round_robin(8, halves).period is None
    inner = round_robin(8, ["ring", "one_peer_exponential"])
    assert round_robin(8, [inner, "star"]).period == 2 * 6


def test_two_random_ones_of_a_kind_are_two():
    mixed = round_robin(12, ["random_matching", "random_matching", "random_matching"], seed=5)
    first, second, third, fourth = (mixed.weights(t) for t in range(4))
    assert len({W.toarray().tobytes() for W in (first, second, third, fourth)}) == 4
    same(first, make("random_matching", 12, 5).weights(0))
    fixed = {"class_path": "random_matching", "init_args": {"seed": 7}}
    same(round_robin(12, ["ring", fixed], seed=5).weights(1), make("random_matching", 12, 7).weights(0))


def test_one_is_drawn_in_each_round():
    names, chances = ["ring", "star", "path"], [0.5, 0.0, 0.5]
    mixed = random_choice(10, names, chances, seed=2)
    matrices = [make(name, 10).weights(0).toarray() for name in names]
    drawn = [next(k for k, W in enumerate(matrices) if (mixed.weights(t).toarray() == W).all()) for t in range(400)]
    assert set(drawn) == {0, 2}
    assert 150 < drawn.count(0) < 250  # five standard deviations
    second = (matrices[0] @ matrices[0] + matrices[2] @ matrices[2]) / 2
    assert mixed.contraction() == pytest.approx(np.linalg.eigvalsh(second - 0.1)[-1], abs=1e-14)
    other = random_choice(10, names, chances, seed=2)
    for t in (300, 7, 100):
        same(other.weights(t), mixed.weights(t))
    verify(mixed)


def test_mixtures_of_mixtures_draw_apart():
    """With one seed: were the outer draw the inner one too, the ring would always come with the path."""
    inner = {"class_path": "random_choice", "init_args": {"topologies": ["ring", "star"], "seed": 0}}
    mixed = random_choice(8, [inner, "path"], seed=0)
    seen = {mixed.weights(t).toarray().tobytes() for t in range(100)}
    assert len(seen) == 3
    assert mixed.contraction() is None


def test_what_sums_to_one_in_all_of_them():
    pushed = round_robin(6, ["ring", {"class_path": "star", "init_args": {"weights": "out_degree"}}])
    assert pushed.sums == "columns"
    assert random_choice(6, ["ring", "path"]).sums == "both"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("round_robin", {"topologies": []}, r"topologies is \[\]: it must name at least one topology"),
        ("round_robin", {"topologies": "ring"}, "topologies is ring: it must name at least one topology; give a list"),
        ("round_robin", {"topologies": ["ring", "rign"]}, "topology is rign"),
        ("round_robin", {"topologies": ["ring", "davis"]}, "peers is 6: it must be 32"),
        (
            "random_choice",
            {"topologies": ["ring"], "probabilities": [0.4, 0.6]},
            "must be 1 numbers, one for each topology",
        ),
        ("random_choice", {"topologies": ["ring", "path"], "probabilities": [1.5, -0.5]}, "probabilities is 1.5"),
        ("random_choice", {"topologies": ["ring", "path"], "probabilities": [0.5, 0.4]}, "must sum to 1, not to 0.9"),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        make(name, 6, **options)
    assert "\n" not in str(caught.value)

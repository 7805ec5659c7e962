"""Every split keeps the same promises, whatever it draws."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dfedsam.data.split import IID, Dirichlet, QuantitySkew, Shards, Split
from dfedsam.random import generator

SPLITS = [
    IID(),
    Dirichlet(alpha=0.3),
    Dirichlet(alpha=1e-5),
    Shards(),
    Shards(per_peer=5),
    QuantitySkew(alpha=0.5),
    QuantitySkew(alpha=1e-5),
]


def labels_of(n: int, classes: int) -> np.ndarray:
    return np.arange(n) % classes


@pytest.mark.parametrize("split", SPLITS, ids=repr)
@settings(max_examples=25, deadline=None)
@given(
    peers=st.integers(1, 20),
    least=st.integers(1, 10),
    spare=st.integers(0, 200),
    classes=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_each_example_goes_to_one_peer_and_each_peer_gets_enough(
    split: Split, peers: int, least: int, spare: int, classes: int, seed: int
) -> None:
    labels = labels_of(peers * least + spare, classes)
    parts = split.split(labels, peers, least, generator(seed, "split"))
    assert len(parts) == peers
    assert min(map(len, parts)) >= least
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    assert all(np.all(np.diff(part) > 0) for part in parts)
    again = split.split(labels, peers, least, generator(seed, "split"))
    assert all(map(np.array_equal, parts, again))


@pytest.mark.parametrize("split", SPLITS, ids=repr)
def test_another_seed_deals_otherwise(split: Split) -> None:
    one, other = (split.split(labels_of(400, 4), 8, 5, generator(seed, "split")) for seed in (0, 1))
    assert any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def classes_held(split: Split) -> float:
    """Mean over peers of the effective number of classes, exp of the entropy."""
    labels = labels_of(4000, 4)
    parts = split.split(labels, 16, 8, generator(3, "split"))
    shares = np.array([np.bincount(labels[part], minlength=4) / len(part) for part in parts])
    return float(np.exp(-(shares * np.log(shares + 1e-12)).sum(axis=1)).mean())


def test_dirichlet_runs_from_one_class_to_all() -> None:
    held = [classes_held(Dirichlet(alpha=alpha)) for alpha in (0.01, 0.3, 1.0, 100.0)]
    assert held == sorted(held)
    assert held[0] < 1.5
    assert held[-1] > 3.9


def test_dirichlet_shares_have_the_stated_spread() -> None:
    """The share of a class that a peer holds has variance (1/n)(1 − 1/n)/(n·alpha + 1)."""
    labels, peers, alpha = labels_of(20_000, 2), 10, 0.5
    counts = [
        len(part) for seed in range(300) for part in Dirichlet(alpha=alpha).shares(labels, peers, generator(seed, "s"))
    ]
    # A peer's part is the mean of two independent shares
    expected = 0.1 * 0.9 / (peers * alpha + 1) / 2
    assert np.var(np.array(counts) / len(labels)) == pytest.approx(expected, rel=0.1)


def test_a_peer_of_few_shards_sees_few_classes() -> None:
    labels = labels_of(800, 8)
    parts = Shards(per_peer=2).split(labels, 8, 1, generator(0, "split"))
    assert max(len(np.unique(labels[part])) for part in parts) <= 4  # two shards, each across one border at most
    assert {len(part) for part in parts} == {100}


def test_quantity_skew_skews_sizes_alone() -> None:
    assert classes_held(QuantitySkew(alpha=0.5)) > 3.5
    sizes = [len(part) for part in QuantitySkew(alpha=0.5).split(labels_of(4000, 4), 16, 8, generator(3, "split"))]
    assert max(sizes) > 4 * min(sizes)


def test_iid_parts_differ_by_at_most_one() -> None:
    sizes = [len(part) for part in IID().split(labels_of(103, 4), 10, 1, generator(0, "split"))]
    assert max(sizes) - min(sizes) <= 1


def test_too_few_examples_is_an_error_that_says_what_is_needed() -> None:
    with pytest.raises(
        ValueError, match="min_examples is 8: it must be at most 7: 10 peers share 79 training examples"
    ):
        IID().split(labels_of(79, 2), 10, 8, generator(0, "split"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dirichlet(alpha=0.0), "alpha is 0.0"),
        (lambda: Dirichlet(alpha=float("nan")), "alpha is nan"),
        (lambda: QuantitySkew(alpha=-1.0), "alpha is -1.0"),
        (lambda: Shards(per_peer=0), "per_peer is 0"),
    ],
)
def test_options_out_of_range(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()

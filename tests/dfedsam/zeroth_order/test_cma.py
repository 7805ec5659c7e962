"""CMA-ES against two independent implementations, and on functions with known minima."""

from dataclasses import replace
from typing import get_args

import cma as pycma
import cmaes
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from dfedsam.random import RandomStream
from dfedsam.state import arrays
from dfedsam.zeroth_order import cma

PEERS = 3


def sphere(x):
    return np.square(x).sum(axis=-1)


def ellipsoid(x):
    return np.square(x) @ np.geomspace(1, 1e3, x.shape[-1])


def rosenbrock(x):
    x = x + 1
    return (100 * np.square(x[..., 1:] - np.square(x[..., :-1])) + np.square(1 - x[..., :-1])).sum(axis=-1)


def search(function, dim, population, sigma, covariance, generations, mean=2.0, seed=0, watch=None):
    """The means of all peers after some generations from one start, and their shapes."""
    x = np.full((PEERS, dim), mean)
    shape = cma.start(x, sigma, covariance)
    constants = cma.parameters(dim, population, diagonal=covariance == "diagonal")
    for t in range(generations):
        candidates = cma.ask(
            x, shape, RandomStream(seed, "candidates", t, 0, range(PEERS)).normal((population, dim), x.dtype)
        )
        losses = function(candidates)
        if watch is not None:
            watch(candidates, losses)
        x, shape = cma.tell(x, shape, candidates, losses, constants)
    return x, shape


@pytest.mark.parametrize("covariance", get_args(cma.Covariance))
@pytest.mark.parametrize(("dim", "population"), [(6, 9), (25, 4)])
def test_every_peer_is_told_what_the_package_cmaes_makes_of_the_same_candidates(covariance, dim, population):
    make = cmaes.CMA if covariance == "full" else cmaes.SepCMA
    oracles = [make(mean=np.full(dim, 2.0), sigma=0.7, population_size=population) for _ in range(PEERS)]
    constants = cma.parameters(dim, population, diagonal=covariance == "diagonal")
    if covariance == "diagonal":  # the package has constants of an older paper here: only its formulas are compared
        for oracle in oracles:
            oracle._weights, oracle._mu_eff = constants.weights[: population // 2], constants.mu_eff
            oracle._c1, oracle._cmu, oracle._cc = constants.c_1, constants.c_mu, constants.c_c
            oracle._c_sigma, oracle._d_sigma = constants.c_sigma, constants.d_sigma

    def watch(candidates, losses):
        for oracle, own, values in zip(oracles, candidates, losses, strict=True):
            oracle.tell(list(zip(own, values, strict=True)))

    x, shape = search(ellipsoid, dim, population, 0.7, covariance, 40, watch=watch)
    for i, oracle in enumerate(oracles):
        np.testing.assert_allclose(x[i], oracle.mean, rtol=1e-8)
        np.testing.assert_allclose(shape.sigma[i], oracle._sigma, rtol=1e-8)
        np.testing.assert_allclose(shape.covariance[i], oracle._C, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(shape.path_c[i], oracle._pc, atol=1e-9)
    assert len(np.unique(shape.sigma)) == PEERS  # each has its own


@pytest.mark.parametrize(
    ("function", "covariance", "generations", "mean", "sigma", "target"),
    [
        (sphere, "full", 250, 2.0, 0.5, 1e-3),
        (sphere, "diagonal", 250, 2.0, 0.5, 1e-3),
        (ellipsoid, "diagonal", 350, 2.0, 0.5, 0.1),
        (ellipsoid, "full", 900, 2.0, 0.5, 0.1),
        (rosenbrock, "full", 800, -1.0, 0.1, 42),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_minima_in_fifty_dimensions_are_found_as_fast_as_pycma_finds_them(
    function, covariance, generations, mean, sigma, target
):
    found, _ = search(function, 50, 15, sigma, covariance, generations, mean=mean)
    options = {"popsize": 15, "seed": 1, "verbose": -9, "CMA_diagonal": covariance == "diagonal"}
    theirs = pycma.CMAEvolutionStrategy(np.full(50, mean), sigma, options)
    for _ in range(generations):
        candidates = theirs.ask()
        theirs.tell(candidates, list(function(np.array(candidates))))
    fallen = np.log(function(np.full(50, mean)) / function(np.stack([*found, theirs.mean])))
    assert function(found).max() < target
    assert fallen[:PEERS].min() > 0.8 * fallen[-1]


def test_a_large_covariance_is_decomposed_now_and_then():
    dim, population = 200, 4
    interval = cma.parameters(dim, population).eigen_interval
    assert interval > 1
    x, shape = search(sphere, dim, population, 0.5, "full", interval - 1)
    assert (shape.basis == np.eye(dim)).all()
    before = shape
    candidates = np.random.default_rng(0).normal(size=(PEERS, population, dim))
    x, shape = cma.tell(x, before, candidates, sphere(candidates), cma.parameters(dim, population))
    basis = shape.basis * shape.scales[:, None]
    np.testing.assert_allclose(basis @ basis.swapaxes(1, 2), shape.covariance, atol=1e-10)
    assert (before.basis == np.eye(dim)).all()


def test_a_covariance_that_gossip_left_indefinite_still_gives_candidates():
    shape = replace(cma.start(np.zeros((1, 2)), 1.0, "full"), covariance=np.array([[[1.0, 2.0], [2.0, 1.0]]]))
    shape = cma.decomposed(shape, np.array([True]))
    candidates = cma.ask(np.zeros((1, 2)), shape, np.array([[[1.0, 1.0], [1.0, -1.0]]]))
    np.testing.assert_allclose(np.abs(candidates[0]), 1.5**0.5, rtol=1e-5)  # √3 along (1, 1), next to 0 across it
    np.testing.assert_allclose(shape.covariance[0], np.full((2, 2), 1.5), rtol=1e-5)  # the nearest that is none below 0
    negative = replace(cma.start(np.zeros((1, 1)), 1.0, "full"), covariance=np.array([[[-1.0]]]))
    scales = cma.decomposed(negative, np.array([True])).scales
    assert scales is not None
    assert np.isfinite(scales).all()


def test_the_bits_do_not_depend_on_how_many_threads_there_are():
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            x, shape = search(ellipsoid, 400, 40, 0.5, "full", 2)
            shape = cma.decomposed(shape, np.ones(PEERS, bool))
            found.append([x, *arrays(shape).values()])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)

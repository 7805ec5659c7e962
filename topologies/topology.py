"""A topology gives each round t its mixing matrix W_t; a static one gives the same in every round."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam.topologies.imports import as_written, import_path
from dfedsam.topologies.tidy import adjacency_matrix, tidy
from dfedsam.topologies.weights.rules import metropolis, out_degree

Rule = Callable[[nx.Graph], sp.csr_array]
Sums = Literal["both", "rows", "columns"]

_DIGESTED = 64  # matrices that stand for a topology without a description
TOLERANCE = 1e-12  # of sums of rows and columns, and of symmetry


class Topology(ABC):
    """Who averages with whom, round by round: x ← W_t x, where W_t[i, j] is the weight with which i takes in j's row.

    Attributes:
        n: Number of peers.
        period: W_{t + period} = W_t; 1 for a static topology, None where W_t is drawn afresh in every round.
        directed: Whether a peer may hear another that does not hear it: W_t need not be symmetric.
        sums: Which lines of W_t sum to one. "both": gossip keeps the mean. "columns": push-sum does. "rows": usable,
            but biased, since the fixed point is no plain average.
        description: What rebuilds it: {"class_path": import path, "init_args": options without n}. `topologies.make`
            writes it; a topology made without it is known by its matrices alone, in `identity`.
    """

    n: int
    period: int | None = 1
    directed: bool = False
    sums: Sums = "both"
    description: dict[str, Any] | None = None

    @abstractmethod
    def weights(self, t: int) -> sp.csr_array:
        """W_t of shape (n, n), float64; the same object for the same matrix, so that callers may cache by identity."""

    def graph(self, t: int) -> nx.Graph:
        """The graph of round t, peers 0..n-1; directed where the topology is, an edge leading from sender to receiver.

        Without an override it is read off W_t.
        """
        return graph_of(self.weights(t), directed=self.directed)

    def identity(self) -> dict[str, Any]:
        """The description, or, where there is none, the class and a digest of the first matrices."""
        if self.description is not None:
            return self.description
        digest = hashlib.sha256()
        for t in range(min(self.period or _DIGESTED, _DIGESTED)):
            W = self.weights(t)
            for part in (W.indptr.astype(np.int64), W.indices.astype(np.int64), W.data):
                digest.update(part.tobytes())
        return {"class_path": import_path(type(self)), "init_args": {"matrices": digest.hexdigest()}}

    def support(self) -> sp.csr_array | None:
        """Where W_t may differ from zero off the diagonal in some round: bool, shape (n, n), row i hears column j.

        None stands for any pair of peers, without n² entries: `check` then takes the peers as connected over time.
        Without an override it is the union of a period's graphs.

        Raises:
            NotImplementedError: if the topology has no period and no override.
        """
        if self.period is None:
            raise NotImplementedError(f"{type(self).__name__} has no period: it must say its support itself")
        union = sp.csr_array((self.n, self.n), dtype=bool)
        for t in range(self.period):
            union = union + (adjacency_matrix(self.graph(t)).T > 0)
        return sp.csr_array(union)

    def participants(self, t: int) -> NDArray[np.bool_] | None:
        """Which peers take part in round t, shape (n,); the others do nothing and keep all they have. None: all."""
        return None

    def contraction(self) -> float | None:
        """λ_max(E[WᵀW] − J) where a formula gives it exactly: how much of the squared distance from the mean an average
        round leaves. None: it must be computed or sampled (`topologies.spectra.contraction`)."""
        return None


class Static(Topology):
    """One graph and one W for all rounds.

    Args:
        graph: At least two peers, no self-loops; labels other than 0..n-1 are numbered (see `topologies.tidy`). In a
            directed graph edges lead from sender to receiver.
        weights: The rule, from the graph to W; None takes Metropolis weights, for a directed graph those of push-sum.
            A rule whose rows alone sum to one says so by an attribute, `rule.sums = "rows"`.
        description: What rebuilds it; None writes down all its edges.

    Raises:
        ValueError: if the graph has a self-loop or fewer than two peers, or the rule does not fit it. Whether it is
            connected is for `check` to say.
    """

    def __init__(self, graph: nx.Graph, weights: Rule | None = None, description: dict[str, Any] | None = None) -> None:
        self._graph = tidy(graph)
        self.n = len(self._graph)
        self.directed = self._graph.is_directed()
        rule = weights or (out_degree if self.directed else metropolis)
        self._weights = rule(self._graph)
        self.sums = _sums(self._weights, getattr(rule, "sums", "columns" if self.directed else "both"))
        if description is None:
            edges = [list(edge) for edge in self._graph.edges()]
            description = {"class_path": "dfedsam.topologies.graphs.textbook.from_edges", "init_args": {"edges": edges}}
            if self.directed:
                description["init_args"]["directed"] = True
            if weights is not None and weights is not metropolis:
                description["init_args"]["weights"] = as_written(weights)
        self.description = description

    def weights(self, t: int) -> sp.csr_array:
        """The one W, shape (n, n)."""
        return self._weights

    def graph(self, t: int) -> nx.Graph:
        """The one graph. Leave it as it is: W was made from it."""
        return self._graph


def graph_of(W: sp.csr_array, *, directed: bool) -> nx.Graph:
    """The graph of a mixing matrix: an edge from j to i where W[i, j] ≠ 0, i ≠ j; peers 0..n-1."""
    entries = W.tocoo()
    there = (entries.data != 0) & (entries.row != entries.col)
    graph = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(range(len(W.indptr) - 1))
    graph.add_edges_from(zip(entries.col[there].tolist(), entries.row[there].tolist(), strict=True))
    return graph


def _sums(W: sp.csr_array, promised: Sums) -> Sums:
    """What is promised of W, or "both" where it is that good."""
    fine = promised != "both" and all(np.abs(np.asarray(W.sum(axis=axis)) - 1).max() <= TOLERANCE for axis in (0, 1))
    return "both" if fine else promised

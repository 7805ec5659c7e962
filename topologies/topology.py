"""A topology gives each round t its mixing matrix W_t; a static one gives the same in every round."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import Any, Literal

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.topologies.graph import AnyGraph, Graph, as_graph, simple
from dfedsam.topologies.matrices import TOLERANCE, union

Sums = Literal["both", "rows", "columns"]
Description = dict[str, Any]

_DIGESTED = 64  # matrices that identify a topology without a description


class Topology(ABC):
    """Who averages with whom, round by round: x ← W_t x, where W_t[i, j] is the weight with which i takes in j's row.

    Attributes:
        n: number of peers.
        period: W_{t + period} = W_t; 1 for a static topology, None if W_t is random in every round.
        directed: whether links may be one-way: W_t need not be symmetric.
        sums: which lines of W_t sum to one. "both": gossip keeps the mean. "columns": push-sum does. "rows": usable,
            but biased, since the fixed point is not the plain average.
        hands_over: whether participants hand their rows over to those of the next round (`handover`), whose rows alone
            then count: metrics are theirs.
        connect_hint: how to fix peers that are not connected, for the message.
        unbiased_in_mean: of "rows": whether columns of E[W_t] sum to one, so that the mean drifts, but without bias.
        description: what rebuilds it: {"class_path": public name, "init_args": options without n}. `topologies.make`
            sets it; a topology made otherwise is identified by its matrices, in `identity`.
        notes: notes for the user on how it was read, one sentence each.
    """

    n: int
    period: int | None = 1
    directed: bool = False
    sums: Sums = "both"
    unbiased_in_mean: bool = False
    hands_over: bool = False
    connect_hint: str = "add edges, or draw another graph"
    description: Description | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        name = type(self).__name__ if self.description is None else self.description["class_path"]
        options = {} if self.description is None else self.description.get("init_args", {})
        return f"{name}({', '.join([f'n={self.n}', *(f'{key}={value!r}' for key, value in options.items())])})"

    @property
    def biased(self) -> bool:
        """Whether rows of W_t alone sum to one, also in expectation, so that gossip does not tend to the mean."""
        return self.sums == "rows" and not self.unbiased_in_mean

    @abstractmethod
    def weights(self, t: int) -> sp.csr_array:
        """W_t of shape (n, n), float64; the same object for the same matrix, so that callers may cache by identity."""

    def graph(self, t: int) -> nx.Graph:
        """The graph of round t, peers 0..n-1; directed where the topology is, an edge leading from sender to receiver.

        By default it is read off W_t.
        """
        return graph_of(self.weights(t), directed=self.directed)

    def identity(self) -> Description:
        """The description, or, where there is none, the class and a digest of the first matrices."""
        if self.description is not None:
            return self.description
        digest = hashlib.sha256()
        for t in range(min(self.period or _DIGESTED, _DIGESTED)):
            W = self.weights(t)
            for array in (W.indptr.astype(np.int64), W.indices.astype(np.int64), W.data):
                digest.update(array.tobytes())
        name = registry.public_name(type(self))
        return {"class_path": name, "init_args": {"matrices": digest.hexdigest()}}

    def support(self) -> sp.csr_array | None:
        """Where W_t may be nonzero off the diagonal in some round: bool, shape (n, n), row i receives from column j.

        None stands for any pair of peers, without n² entries: `verify` then takes the peers as connected over time.
        By default it is the union of a period's graphs.

        Raises:
            NotImplementedError: if the topology has no period and no override.
        """
        if self.period is None:
            raise NotImplementedError(f"{type(self).__name__} has no period: it must define its support itself")
        return union([_heard(as_graph(self.graph(t))) for t in range(self.period)])

    @property
    def name(self) -> str:
        """The public name of what made it, such as "teleportation"; its class's name where nothing says so."""
        return (self.description or {}).get("class_path", type(self).__name__)

    def participants(self, t: int) -> NDArray[np.bool_] | None:
        """Mask of participants in round t, shape (n,); absent peers do nothing and keep their state. None: all."""
        return None

    def handover(self, t: int) -> sp.csr_array:
        """Whose row each peer starts round t + 1 from: H of shape (n, n), H[i, j] = 1 for that of peer j.

        Asked for where `hands_over` is true.
        """
        raise NotImplementedError(f"{type(self).__name__} hands rows over: it must say to whom")

    def contraction(self) -> float | None:
        """λ_max(E[WᵀW] - J), where a formula gives it exactly, else None.

        It is the share of the squared distance from the mean that is left after a round, on average. Without a formula
        `topologies.spectra.contraction` computes or samples it.
        """
        return None


class Static(Topology):
    """One graph and one W for all rounds.

    Args:
        graph: at least two peers, no self-loops: a graph of networkx (labels other than 0..n-1 are numbered, see
            `normalize_graph`), a `Graph`, an array of edges (m, 2), or an adjacency matrix (scipy.sparse). Directed
            edges lead from sender to receiver.
        weights: W of shape (n, n), such as a weight rule gives it: `Static(graph, metropolis(graph))`.
        sums: which lines of W are meant to sum to one; None: both, or the columns alone for a directed graph. Where
            both do, `Topology.sums` is "both".
        description: what rebuilds it; None leaves it to its matrices to identify it.

    Raises:
        ValueError: if the graph has a self-loop or fewer than two peers, or W is not (n, n). Whether W fits the graph
            and the graph is connected is for `verify` to say.
    """

    def __init__(
        self,
        graph: AnyGraph | sp.sparray | NDArray[np.integer],
        weights: sp.csr_array,
        *,
        sums: Sums | None = None,
        description: Description | None = None,
    ) -> None:
        self.arrays = simple(as_graph(graph))
        self.n, self.directed = self.arrays.n, self.arrays.directed
        shape = getattr(weights, "shape", None)
        if shape != (self.n, self.n):
            raise ValueError(f"W has shape {shape}: it must be ({self.n}, {self.n}), as the graph has peers")
        self._weights = sp.csr_array(weights)
        self.sums = _sums(self._weights, sums or ("columns" if self.directed else "both"))
        self.description = description
        self.notes = tuple(self.arrays.facts.get("notes", ()))

    def weights(self, t: int) -> sp.csr_array:
        return self._weights

    def graph(self, t: int) -> nx.Graph:
        """The one graph, as networkx has it, made when first asked for. Do not change it: W was made from it."""
        return self.arrays.networkx

    def support(self) -> sp.csr_array:
        """Who receives from whom, without a graph of networkx."""
        return _heard(self.arrays)


def require_topology(value: object) -> None:
    """Raise OptionError unless a value is a Topology, rather than a name or a graph to make one of."""
    if not isinstance(value, Topology):
        shown, of = (
            (value, f'"{value}", 16') if isinstance(value, str) else (f"of type {type(value).__name__}", "graph")
        )
        raise OptionError("topology", shown, "must be a Topology", f"make one: make({of})")


def refuse_handover(option: str, topology: Topology) -> None:
    """Raise OptionError if the topology within another one, named by `option`, hands rows over."""
    if topology.hands_over:
        rule = "must not hand rows over from peer to peer within another topology"
        raise OptionError(option, topology.name, rule, "take a graph, such as ring")


def graph_of(W: sp.csr_array, *, directed: bool) -> nx.Graph:
    """The graph of a mixing matrix: an edge from j to i where W[i, j] ≠ 0, i ≠ j; peers 0..n-1."""
    entries = W.tocoo()
    nonzero = (entries.data != 0) & (entries.row != entries.col)
    graph = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(range(len(W.indptr) - 1))
    graph.add_edges_from(zip(entries.col[nonzero].tolist(), entries.row[nonzero].tolist(), strict=True))
    return graph


def _heard(graph: Graph) -> sp.csr_array:
    """Bool, shape (n, n), sorted indices: row i hears column j."""
    if not graph.directed:
        return graph.adjacency
    heard = sp.csr_array(graph.adjacency.T)
    heard.sort_indices()
    return heard


def _sums(W: sp.csr_array, declared: Sums) -> Sums:
    """What is declared of W, or "both" where it is that good."""
    exact = declared != "both" and all(np.abs(np.asarray(W.sum(axis=axis)) - 1).max() <= TOLERANCE for axis in (0, 1))
    return "both" if exact else declared

"""A topology gives each round t its mixing matrix W_t and its graph; a static one gives the same in every round."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from topologies import names
from topologies.tidy import adjacency_matrix, tidy
from topologies.weights import metropolis

Rule = Callable[[nx.Graph], sp.csr_array]

TOLERANCE = 1e-12  # of sums of rows and columns, and of symmetry


class Topology(ABC):
    """Who averages with whom, round by round.

    Attributes:
        n: Number of peers.
        period: W_{t + period} = W_t; 1 for a static graph.
        description: What rebuilds it: {"class_path": import path, "init_args": options without n}.
    """

    n: int
    period: int = 1
    description: dict[str, Any]

    @abstractmethod
    def weights(self, t: int) -> sp.csr_array:
        """W_t of shape (n, n), float64; the same object for the same matrix, so that callers may cache by identity."""

    @abstractmethod
    def graph(self, t: int) -> nx.Graph:
        """The graph of round t, peers 0..n-1: W_t is zero off its edges and the diagonal."""


class Static(Topology):
    """One graph and one W for all rounds.

    Args:
        graph: Undirected, at least two peers, no self-loops; labels other than 0..n-1 are numbered (see
            `topologies.tidy`).
        rule: From the graph to W.
        description: What rebuilds it; None writes down all its edges.

    Raises:
        ValueError: if the graph is directed, has a self-loop or fewer than two peers. Whether it is connected is for
            `check` to say.
    """

    def __init__(self, graph: nx.Graph, rule: Rule = metropolis, description: dict[str, Any] | None = None) -> None:
        self._graph = tidy(graph)
        self._weights = rule(self._graph)
        self.n = len(self._graph)
        if description is None:
            edges = [list(edge) for edge in self._graph.edges()]
            description = {"class_path": "topologies.graphs.from_edges", "init_args": {"edges": edges}}
            if rule is not metropolis:
                description["init_args"]["rule"] = names.import_path(rule)
        self.description = description

    def weights(self, t: int) -> sp.csr_array:
        """The one W, shape (n, n)."""
        return self._weights

    def graph(self, t: int) -> nx.Graph:
        """The one graph. Leave it as it is: W was made from it."""
        return self._graph


def make(
    name: str | Callable[..., nx.Graph | Topology],
    n: int | None,
    seed: int | None = None,
    *,
    rule: str | Rule = metropolis,
    **options: Any,
) -> Topology:
    """Build a topology of n peers by name.

    Args:
        name: A short name (`ring`), a file, an import path, or the function itself; it is called as `function(n,
            **options)` and gives a graph or a whole `Topology`.
        n: Number of peers; None only for a file, which says it itself.
        seed: Passed on if the function has an option `seed` and `options` do not set it.
        rule: Weight rule for a graph, or its import path.
        **options: The function's own options, such as `rows` or `p`.

    Raises:
        ValueError: if the name is unknown, the function has no such option, or the graph cannot be made with these.
    """
    function = names.find(name) if isinstance(name, str) else name
    if isinstance(function, partial):  # options fixed by the name: a file's path
        function, options = function.func, {**function.keywords, **options}
    signature = inspect.signature(function)
    if seed is not None and "seed" in signature.parameters:
        options.setdefault("seed", seed)
    try:
        bound = signature.bind(n, **options)
    except TypeError as error:
        known = ", ".join(list(signature.parameters)[1:]) or "none"
        raise ValueError(f"topology {name} does not take these options: {error}; its options are: {known}") from None
    made = function(*bound.args, **bound.kwargs)
    bound.apply_defaults()
    arguments = dict(list(bound.arguments.items())[1:])
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments.update(arguments.pop(parameter.name, {}))
    description = {"class_path": names.import_path(function), "init_args": arguments}
    if isinstance(made, nx.Graph):
        if isinstance(rule, str):
            rule = names.import_object(rule, "rule")
        if rule is not metropolis:
            arguments["rule"] = names.import_path(rule)
        made = Static(made, rule, description)
    elif not isinstance(made, Topology):
        raise ValueError(f"topology {name} gave a {type(made).__name__}: it must be a networkx graph or a Topology")
    if n is not None and made.n != n:
        raise ValueError(f"topology {name} gave {made.n} peers: it must give the {n} that were asked for; mend it")
    made.description = getattr(made, "description", description)
    return made


def check(topology: Topology) -> None:
    """Check every W_t of a topology before anything is averaged with it.

    Rows and columns sum to one within 1e-12, W is symmetric where the graph is undirected, zero off the graph, and the
    peers are connected over a period. Entries may be negative.

    Raises:
        ValueError: names the round, the row and what is wrong with it.
    """
    n = topology.n
    union = sp.csr_array((n, n), dtype=bool)
    for t in range(topology.period):
        W, graph = topology.weights(t), topology.graph(t)
        if not (sp.issparse(W) and W.format == "csr" and W.dtype == np.float64 and W.shape == (n, n)):
            raise ValueError(
                f"W_{t} must be a scipy.sparse csr_array of float64 and shape ({n}, {n}); mend the weight rule"
            )
        if list(graph) != list(range(n)):
            raise ValueError(
                f"graph of round {t} must have the peers 0 to {n - 1} in order; number it with topologies.tidy"
            )
        adjacency = adjacency_matrix(graph)
        _check_rows(t, W, adjacency, symmetric=not graph.is_directed())
        union = union + (W != 0)
    parts, part = connected_components(union, directed=True, connection="strong")
    if parts > 1:
        alone = int(np.flatnonzero(part != part[0])[0])
        raise ValueError(
            f"topology is not connected over its period: peers 0 and {alone} never hear of each other "
            f"({parts} parts in {topology.period} rounds); add edges, or draw another graph"
        )


def _check_rows(t: int, W: sp.csr_array, adjacency: sp.csr_array, *, symmetric: bool) -> None:
    """Raise ValueError with the first row of W_t that breaks a rule."""
    for axis, line in ((1, "row"), (0, "column")):
        sums = np.asarray(W.sum(axis=axis))
        bad = np.flatnonzero(~(np.abs(sums - 1) <= TOLERANCE))  # also where a sum is nan
        if bad.size:
            i = int(bad[0])
            raise ValueError(
                f"W_{t}: {line} {i} sums to {sums[i]:.15g}: it must be 1 within {TOLERANCE:g}; mend the weight rule"
            )
    entries = W.tocoo()
    i, j = entries.row, entries.col
    apart = (entries.data != 0) & (i != j) & ~np.asarray(adjacency[i, j]).ravel().astype(bool)
    if apart.any():
        row, column = int(i[apart][0]), int(j[apart][0])
        raise ValueError(
            f"W_{t}: row {row} gives peer {column} the weight {W[row, column]:.3g}, but no edge joins them: "
            "it must be zero off the graph; mend the weight rule"
        )
    if symmetric:
        skew = (W - W.T).tocoo()
        bad = np.flatnonzero(np.abs(skew.data) > TOLERANCE)
        if bad.size:
            row, column = int(skew.row[bad[0]]), int(skew.col[bad[0]])
            raise ValueError(
                f"W_{t}: row {row} gives peer {column} the weight {W[row, column]:.15g} and gets "
                f"{W[column, row]:.15g}: W must be symmetric on an undirected graph; mend the weight rule"
            )

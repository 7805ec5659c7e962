"""Random graphs are drawn again until they are connected."""

from collections.abc import Callable

import networkx as nx
import numpy as np

from dfedsam.errors import OptionError
from dfedsam.topologies.normalize import components, normalize_graph
from dfedsam.validation import whole_number

DRAWS = 100  # draws before we say that the options make a connected graph too unlikely


def connected(name: str, draw: Callable[[int], nx.Graph], seed: int, option: str, value: float, hint: str) -> nx.Graph:
    """Draw with the seed, then with seeds derived from it, until the graph is connected (strongly, where directed).

    Derived seeds are hashes of (seed, attempt), not seed + attempt: studies with seeds 0, 1, 2, … must not meet the
    same graph twice.

    Args:
        name: Name of the graph, which it will bear.
        draw: From a seed to a graph.
        seed: The first seed, at least 0.
        option: Name of the option to which it is due if no draw is connected,
        value: its value, and
        hint: what to do about it.

    Returns:
        The graph, tidy; its "seed" is the one that served.

    Raises:
        ValueError: if none of DRAWS draws is connected.
    """
    seed = whole_number("seed", seed, 0, "give 0 or more")
    for attempt in range(DRAWS):
        trial = int(np.random.SeedSequence([seed, attempt]).generate_state(1)[0]) if attempt else seed
        graph = draw(trial)
        if len(components(graph)) == 1:
            graph = normalize_graph(graph)
            graph.graph.clear()
            graph.graph.update(name=name, seed=trial)
            return graph
    rule = f"must make the {name} graph of these peers connected, and none of {DRAWS} draws was"
    raise OptionError(option, value, rule, hint)


def below(name: str, value: int, n: int) -> None:
    """Raise ValueError unless a number of neighbours is below the number of peers."""
    if value >= n:
        raise OptionError(name, value, f"must be below the number of peers ({n})", "use less, or more peers")

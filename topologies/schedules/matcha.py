"""MATCHA: the matchings of a graph, each used at random as often as connectivity is worth its share of the budget."""

import networkx as nx
import numpy as np
import scipy.sparse as sp

from dfedsam.errors import OptionError
from dfedsam.topologies.make import Spec
from dfedsam.topologies.matrices import from_pairs
from dfedsam.topologies.schedule import Drawn, union
from dfedsam.topologies.schedules.activation import best_probabilities, best_step, second_moment
from dfedsam.topologies.schedules.colouring import matchings_of
from dfedsam.topologies.schedules.links import Links
from dfedsam.topologies.schedules.nested import static_graph
from dfedsam.topologies.topology import Topology
from dfedsam.validation import share, whole_number

MOST = 500  # peers up to which probabilities are optimised, on all eigenvalues
_LOOSE = 1e-4  # of the best connectivity: what the certificate may leave open


def matcha(n: int, topology: Spec = "ring", budget: float = 0.5, seed: int = 0) -> Topology:
    """Each matching of a graph is up with a probability of its own in every round: W_t = I - α Σ B_j L_j.

    The graph's edges are divided into at most Δ + 1 matchings. Their probabilities p maximise μ₂(Σ p_j L_j) with Σ p_j
    ≤ budget · matchings; α then minimises ρ = λ_max(E[W_t²] - J), which is the expected contraction. Both depend on how
    the edges were divided. W_t is symmetric and doubly stochastic; it may have negative entries on the diagonal.
    Source: Wang, Sahu, Yang, Joshi and Kar (2019), "MATCHA: Speeding up decentralized SGD via matching decomposition
    sampling" (arXiv 1905.09435).

    Args:
        n: Number of peers, at most 500.
        topology: The graph, undirected and the same in every round; its weights are not looked at.
        budget: Share of the matchings that are up in a round on average, in (0, 1]; 1 uses the whole graph always.
        seed: Seed, at least 0; also the graph's, where it is random.

    Raises:
        ValueError: if an option is out of range, the topology is directed, a schedule, not connected or larger than 500
            peers, or its probabilities were not found.
    """
    budget = share("budget", budget, "the usual is 0.5")
    return Matcha(static_graph(topology, n, seed, "matcha"), budget, whole_number("seed", seed, 0, "give 0 or more"))


class Matcha(Drawn):
    """See `matcha`.

    Args:
        graph: Undirected and connected, peers 0..n-1.
        budget: Share of the matchings.
        seed: Seed.

    Attributes:
        matchings: Pairs of peers, for each matching.
        probabilities: That it is up, shape (matchings,); to six digits, so that all ranks have the same.
        alpha: The weight α of an edge that is up, to six digits.
    """

    def __init__(self, graph: nx.Graph, budget: float, seed: int) -> None:
        n = len(graph)
        if n > MOST:
            raise OptionError("peers", n, f"must be at most {MOST} for matcha", "take link_failures or pairwise")
        if not nx.is_connected(graph):
            raise OptionError("topology", "in parts", "must be connected for matcha", "add edges")
        self.matchings = matchings_of(graph)
        found = best_probabilities(n, self.matchings, budget)
        if found.bound - found.connectivity > _LOOSE * found.bound:
            raise ValueError(
                f"budget is {budget}: its probabilities for matcha did not converge (μ₂ {found.connectivity:.6g}, at "
                f"most {found.bound:.6g}); take another budget or graph"
            )
        self.probabilities = np.round(found.probabilities, 6)
        alpha, _ = best_step(n, self.matchings, self.probabilities)
        self.alpha = float(f"{alpha:.6g}")
        pairs = [np.array(matching).T for matching in self.matchings]
        i, j = np.concatenate(pairs, axis=1)
        whole_graph = from_pairs(n, i, j, self.alpha)
        self._links = Links(whole_graph, directed=False)
        matching_of = np.repeat(np.arange(len(pairs)), [len(matching) for matching in self.matchings])
        order = np.argsort(np.minimum(i, j) * n + np.maximum(i, j))  # that of the links
        self._matching = matching_of[order]
        ever = from_pairs(n, i, j, self.probabilities[matching_of])
        super().__init__(n, seed, union([ever]))

    def draw(self, t: int, rng: np.random.Generator) -> sp.csr_array:
        """W_t of shape (n, n)."""
        up = rng.random(len(self.matchings)) < self.probabilities
        return self._links.without(~up[self._matching])

    def contraction(self) -> float:
        """ρ = λ_max(I - 2α L̄ + α² (L̄² + 2 L̃) - J)."""
        return second_moment(self.n, self.matchings, self.probabilities)(self.alpha)

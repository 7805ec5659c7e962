"""The graph functions of the table, and for each some numbers of peers that it takes; None where it has its own."""

from dfedsam.topologies.make import parameters
from dfedsam.topologies.registry import GROUPS, find

SIZES = {
    "ring": (2, 3, 4, 16, 33),
    "path": (2, 3, 16, 33),
    "grid": (4, 6, 16, 35, 60),
    "torus": (9, 12, 16, 25, 60),
    "star": (2, 3, 16, 33),
    "complete": (2, 3, 16, 33),
    "hypercube": (2, 4, 16, 64),
    "exponential": (2, 3, 5, 16, 33, 64),
    "ring_lattice": (5, 6, 16, 33),
    "circulant": (3, 4, 5, 16, 33),
    "chordal_ring": (6, 8, 16, 34),
    "binary_tree": (2, 3, 4, 7, 16, 33),
    "tree": (2, 4, 5, 13, 16, 33),
    "complete_bipartite": (2, 3, 16, 33),
    "paley": (5, 9, 13, 25, 49),
    "margulis": (4, 9, 16, 36),
    "petersen": (None,),
    "two_cliques": (2, 3, 5, 16, 33),
    "barbell": (4, 5, 6, 7, 16, 33),
    "lollipop": (2, 3, 4, 16, 33),
    "caveman": (6, 8, 9, 16, 33),
    "davis": (None,),
    "karate": (None,),
    "florentine": (None,),
    "les_miserables": (None,),
    "mst": (2, 16, 40),
    "christofides": (3, 16, 40),
    "bounded_tree": (2, 16, 40),
    "erdos_renyi": (2, 5, 16, 64),
    "random_regular": (5, 6, 16, 33),
    "watts_strogatz": (5, 16, 33),
    "barabasi_albert": (3, 16, 33),
    "random_geometric": (2, 5, 16, 64),
    "stochastic_block_model": (4, 5, 16, 64),
}
DIRECTED_SIZES = {
    "directed_ring": (2, 3, 16, 33),
    "directed_exponential": (2, 3, 5, 16, 33, 64),
    "random_out": (7, 16, 33, 64),
}


def graph_functions() -> set[str]:
    """The names of the functions that give a graph, not a whole topology with weights of its own."""
    return {
        name
        for group, names in GROUPS.items()
        for name in names
        if group not in ("from edges and files", "made from the data")
        and any(one.name == "weights" for one in parameters(find(name)))
    }


def cases(sizes):
    """All pairs of a name and a size."""
    return [(name, n) for name, its in sizes.items() for n in its]

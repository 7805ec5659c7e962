"""What test_files.py and test_formats.py share."""

import networkx as nx

from dfedsam.topologies import (
    from_file,
    make,
    verify,
)


def graph_of(*args, **options) -> nx.Graph:
    graph = from_file(*args, **options)
    assert isinstance(graph, nx.Graph)
    return graph


def graphml(edges, directed="undirected"):
    nodes = "".join(f'<node id="{i}"/>' for i in range(3))
    lines = "".join(f'<edge source="{u}" target="{v}"/>' for u, v in edges)
    head = '<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    return f'{head}<graph edgedefault="{directed}">{nodes}{lines}</graph></graphml>'


def read(tmp_path, name, text, **options):
    path = tmp_path / name
    path.write_text(text)
    topology = make(str(path), **options)
    verify(topology)
    return topology

"""Graphs of n peers, one function a graph in the manner of networkx, and graphs from files."""

"""Weight rules: from a graph to its mixing matrix W; the fastest mixing weights; matrices from files."""

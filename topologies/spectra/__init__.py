"""Eigenvalues, rates, effective neighbours and messages of a topology."""

"""The figures of a topology: eigenvalues, rates, neighbours in effect, messages."""

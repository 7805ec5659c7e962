"""Reading of run folders as tables, and names of runs and metrics."""

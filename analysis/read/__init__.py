"""Run folders as tables, and what their runs and metrics are called."""

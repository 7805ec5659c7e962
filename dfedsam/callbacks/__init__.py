"""Callbacks of a run: evaluation, checkpoints, files, progress, loggers, budget, absent peers."""

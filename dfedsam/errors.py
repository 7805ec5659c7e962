"""Errors that happen during a run, as against bad input, which is a ValueError before it."""


class RunError(RuntimeError):
    """A run that cannot go on; the message names the phase, the round and the peers."""

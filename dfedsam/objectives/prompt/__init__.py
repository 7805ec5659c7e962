"""Prompt tuning: options, the map from a peer's vector to the prompt, and the problem in memory."""

"""Prompt tuning: options, what a peer's vector says about the prompt, and the problem in memory."""

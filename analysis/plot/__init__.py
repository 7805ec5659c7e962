"""Figures: each function takes tables or arrays and returns a matplotlib figure."""

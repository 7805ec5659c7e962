"""Mixing matrices that change from round to round: in turn, drawn, unreliable, or made from the data."""

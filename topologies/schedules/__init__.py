"""Mixing matrices that change from round to round: periodic, drawn, unreliable, or made from the data."""

"""Binotel, simulated."""

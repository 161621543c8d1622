"""Ringostat, simulated."""

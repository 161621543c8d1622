"""Zadarma, simulated."""

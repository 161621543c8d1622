"""A bridge, simulated."""

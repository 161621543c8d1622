"""A VATS of ITooLabs, simulated."""

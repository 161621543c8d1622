"""sipgate, simulated."""

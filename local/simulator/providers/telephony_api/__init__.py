"""The telephony API, simulated."""

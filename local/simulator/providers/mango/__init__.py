"""Mango Office, simulated."""

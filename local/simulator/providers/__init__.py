"""Simulated PBXs: one package per provider, with the webhook sender in `pbx` and the fake REST API in `api`."""

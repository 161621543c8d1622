"""Tokens in the REST API."""

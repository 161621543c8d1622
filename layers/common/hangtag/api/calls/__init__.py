"""Calls in the REST API."""

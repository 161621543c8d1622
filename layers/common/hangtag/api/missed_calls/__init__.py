"""Missed calls in the REST API."""

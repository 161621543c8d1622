"""Exports in the REST API."""

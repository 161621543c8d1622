"""Integrations in the REST API."""

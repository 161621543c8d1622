"""Tenants in the REST API."""

"""Erasures and exports in the REST API."""

"""Erasures in the REST API."""

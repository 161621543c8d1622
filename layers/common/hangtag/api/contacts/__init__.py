"""Contacts in the REST API."""

"""Employees in the REST API."""

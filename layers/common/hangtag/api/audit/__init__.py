"""The audit log in the REST API."""

"""Tasks in the REST API."""

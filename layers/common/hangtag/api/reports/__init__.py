"""Reports in the REST API."""

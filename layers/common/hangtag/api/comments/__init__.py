"""Comments in the REST API."""

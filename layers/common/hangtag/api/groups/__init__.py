"""Groups in the REST API."""

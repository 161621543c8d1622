"""Settings in the REST API."""

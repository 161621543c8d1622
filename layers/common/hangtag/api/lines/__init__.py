"""Lines in the REST API."""

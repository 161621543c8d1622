"""Click-to-call in the REST API."""

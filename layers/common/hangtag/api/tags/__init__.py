"""Tags in the REST API."""

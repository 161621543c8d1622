"""Live-channel tickets in the REST API."""

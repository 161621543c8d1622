"""CRM settings, health and dead letters in the REST API."""

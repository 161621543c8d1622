"""The simulated Plivo: webhooks and REST API."""

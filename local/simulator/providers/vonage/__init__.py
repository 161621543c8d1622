"""The simulated Vonage: webhooks and REST API."""

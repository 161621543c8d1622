"""The simulated Telnyx: webhooks and REST API."""

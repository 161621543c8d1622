"""The simulated Twilio: webhooks and REST API."""

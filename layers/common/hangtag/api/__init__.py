"""REST API: a package per feature, and `kernel` with what all features share. Never loaded by the webhook."""

"""Integrations: webhook endpoints, request log, access tokens, rate limits and reconciliation progress."""

"""Webhook requests: verification, parsing, ingestion, the fallback queue and replay."""

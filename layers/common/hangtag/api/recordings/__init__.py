"""Recordings in the REST API."""

"""Shared parts of the REST API: authentication, request bodies, errors, paging, idempotency and visibility."""

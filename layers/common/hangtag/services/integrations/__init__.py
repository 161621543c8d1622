"""Requests to a tenant's PBX and reconciliation with its call log."""

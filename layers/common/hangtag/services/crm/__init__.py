"""Delivery of CRM messages from the outbox."""

"""Erasure and export of stored data."""

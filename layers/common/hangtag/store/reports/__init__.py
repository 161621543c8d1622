"""Stored report data: marks, sums and files."""

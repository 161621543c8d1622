"""Background jobs: imports, exports and erasures."""

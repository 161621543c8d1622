"""Open calls: the tracker, settling, the sweeper and reconciliation with the PBX."""

"""RingCentral, simulated."""

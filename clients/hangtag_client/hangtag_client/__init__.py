"""Client tools: a check of a PBX integration and a client of the live channel."""

"""Call windows and their delivery over the live channel."""

"""Calls and what belongs to them: events, clicks, tags, missed calls, recordings and call windows."""

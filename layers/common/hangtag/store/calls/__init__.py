"""Calls and their parts: events, clicks, tags, missed calls, recordings and call windows."""

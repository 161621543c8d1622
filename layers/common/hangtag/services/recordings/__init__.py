"""Recordings: fetching, archiving and playback."""

"""Hangtag: connects any cloud PBX to any CRM.

The shared package of all functions. `calls` and `tags` are the pure domain; `providers` turns what a PBX posts
into call events; `store` keeps them; the small modules beside them are the doors to everything outside.
"""

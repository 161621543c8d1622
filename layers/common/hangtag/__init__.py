"""Hangtag: connects any cloud PBX to any CRM.

Shared package of all functions. `domain` is pure; `providers` parses the webhook requests of PBXs into call events;
`store` reads and writes the table; `services` connects them, and `api` serves HTTP. `outbound` sends all requests.
"""

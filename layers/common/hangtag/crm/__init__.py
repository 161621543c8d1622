"""CRM of a tenant: the built-in one, and an external one if the tenant connects it.

`builtin` contains the contacts for the API and for calls; the store contains tasks, tags and comments. All changes go
to an external CRM through the outbox (`hangtag.store.crm.outbox`, `hangtag.services.crm.outbox_worker`; `webhook` signs
and sends). `lookup` requests missing data from it: the contact of a number, the last task of a contact. A call never
depends on an external CRM, and its responses are stored here under their own ids (`external_id`).
"""

"""The tenant's CRM: this product's own data, and one outside where the tenant has one.

`builtin` is the own contacts as the API and calls need them; tasks, tags and comments are the store's. A CRM outside is
*told* all of it through the outbox (`hangtag.store.crm.outbox`, `hangtag.services.crm.outbox_worker`; `webhook` signs
and sends), and is
*asked* by `lookup` for what is not known here: who has a number, which task of a contact is the last. So a call never
depends on it, and what it answered is kept here under its own ids (`external_id`).
"""

"""The tenant's office: people, lines, contacts, tasks and settings."""

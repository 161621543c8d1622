"""What an admin is asked for, and told, of each provider: a module beside each adapter, of the same name.

Apart from the adapters because these load pydantic, which the webhook must not.
"""

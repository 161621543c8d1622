"""Use cases, a package per feature: they read and write the store and call the domain."""

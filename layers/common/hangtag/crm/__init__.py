"""The CRMs. `builtin` is this product's own data; others follow behind the same few verbs."""

"""The addresses of the API, a module a feature; the functions admin and desk choose which of them they serve."""

"""The way of a call through the system, a module a step: receive → track → (settle, sweep) → emit."""

"""External CRMs: configuration, outbox and circuit breaker."""

"""Storage: one DynamoDB table. Nothing is imported here, so that a function loads only what it uses."""

"""Click-to-call: validating a request and placing the call."""

"""Pure domain: calls, tags and reports. Standard library only, without AWS or HTTP."""

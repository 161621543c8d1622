"""The embedded stack: runs `template.yaml` on this machine, with no Docker and no AWS account.

`python -m local up|down|status`; tests use `local.stack.running`. `gaps` and `transform` hold
every difference between the runtime and AWS that has to be bridged, each with its reason.
"""

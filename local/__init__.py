"""The embedded stack: runs `template.yaml` on this machine, with no Docker and no AWS account.

`python -m local up|down|status`; tests use `local.stack.running`. `gaps` and `transform` hold
every difference between the runtime and AWS that has to be bridged, each with its reason.

From the environment: `HANGTAG_PORT` (4566; another port is another stack), `HANGTAG_WORKERS` (8
invocations at once), `HANGTAG_MAX_SECONDS` (12 hours; the runtime ends itself then), `SFN_WAIT_SCALE`
(1; how long waits between a state's retries are), and for tests `HANGTAG_FAULT_ENDPOINT` (see
`faults`) and `HANGTAG_LOSE_EXECUTIONS` (see `gaps`).
"""

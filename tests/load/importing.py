"""`make bench-import`: import of 100 000 contacts on the embedded stack, with one interruption. Prints one line.

The rows per second depend on this machine; the absence of duplicates does not.
"""

import sys
import time
from typing import Any

import requests

from api_client import Office, open_office
from local import stack as local_stack

PORT = 4626
ROWS = 100_000


def main() -> int:
    """Run the import. Return 0 if every row became one contact."""
    with local_stack.running(port=PORT, parameters={"LogLevel": "WARNING"}) as stack:
        office = open_office(stack.api, stack.operator_token)
        new_import = office.owner.create("/v1/imports", {})
        rows = "".join(f"Contact {number},+7903{number:07d},row-{number}\n" for number in range(ROWS))
        requests.put(new_import["upload_url"], data=f"name,phone,external_id\n{rows}", timeout=60)
        path = f"/v1/imports/{new_import['id']}"
        start = time.monotonic()
        office.owner.post(f"{path}/start", {})
        _until(office, path, ROWS // 3)
        office.owner.post(f"{path}/stop", {})
        office.owner.post(f"{path}/start", {})
        done = _until(office, path, ROWS)
        seconds = time.monotonic() - start
    counts = {name: done[name] for name in ("rows", "created", "matched", "rejected")}
    print(f"import: {counts}, stopped once on the way, {ROWS / seconds:.0f} rows/s")
    return 0 if counts == {"rows": ROWS, "created": ROWS, "matched": 0, "rejected": 0} else 1


def _until(office: Office, path: str, rows: int) -> dict[str, Any]:
    """Return the import once it has processed this many rows."""
    while True:
        state: dict[str, Any] = office.owner.get(path).json
        if state["rows"] >= rows or state["state"] not in ("running", "stopped"):
            return state
        # Progress is polled, as admins do.
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())

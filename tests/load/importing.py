"""`make bench-import`: imports 100 000 contacts on the embedded stack, stopped once on the way; prints one line.

Rows a second say something about this machine only; that there are no doubles holds anywhere.
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
    """Run it; 0 if every row became one contact."""
    with local_stack.running(port=PORT, parameters={"LogLevel": "WARNING"}) as stack:
        office = open_office(stack.api, stack.operator_token)
        made = office.owner.made("/v1/imports", {})
        rows = "".join(f"Contact {number},+7903{number:07d},row-{number}\n" for number in range(ROWS))
        requests.put(made["upload_url"], data=f"name,phone,external_id\n{rows}", timeout=60)
        path = f"/v1/imports/{made['id']}"
        begun = time.monotonic()
        office.owner.post(f"{path}/start", {})
        _until(office, path, ROWS // 3)
        office.owner.post(f"{path}/stop", {})
        office.owner.post(f"{path}/start", {})
        done = _until(office, path, ROWS)
        seconds = time.monotonic() - begun
    counts = {name: done[name] for name in ("rows", "created", "matched", "rejected")}
    print(f"import: {counts}, stopped once on the way, {ROWS / seconds:.0f} rows/s")
    return 0 if counts == {"rows": ROWS, "created": ROWS, "matched": 0, "rejected": 0} else 1


def _until(office: Office, path: str, rows: int) -> dict[str, Any]:
    """The import, once so many rows were worked off."""
    while True:
        found: dict[str, Any] = office.owner.get(path).json
        if found["rows"] >= rows or found["state"] not in ("running", "stopped"):
            return found
        # Progress is told to nobody; an admin looks again.
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())

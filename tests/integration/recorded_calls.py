"""Calls with recordings, and the bucket of their copies, for tests."""

from typing import Any

import pytest

from api_client import Office
from hangtag.store.calls import items as calls
from hangtag.store.calls.items import CallItem
from local.stack import Stack
from pbx_line import Line

OLGA = "79035550401"


class Bucket:
    """Contents of the bucket."""

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self._name = name

    def keys(self, tenant_id: str) -> list[str]:
        contents = self._s3.list_objects_v2(Bucket=self._name).get("Contents", [])
        return [one["Key"] for one in contents if f"/{tenant_id}/" in one["Key"]]

    def unfinished(self) -> list[Any]:
        return list(self._s3.list_multipart_uploads(Bucket=self._name).get("Uploads", []))


def recordings_bucket(stack: Stack, environment: pytest.MonkeyPatch) -> Bucket:
    """Return the bucket of copies, and use it in this process too."""
    function = stack.client("lambda").get_function_configuration(FunctionName=stack.functions["RecordingsFunction"])
    variables = function["Environment"]["Variables"]
    for name in ("RECORDINGS_BUCKET", "RECORDING_MAX_BYTES", "RECORDINGS_QUEUE_URL"):
        environment.setenv(name, variables[name])
    environment.setenv("OUTBOUND_LOOPBACK", "true")
    return Bucket(stack.client("s3"), variables["RECORDINGS_BUCKET"])


def record_call(line: Line, call_id: str, url: str, **more: str) -> dict[str, Any]:
    """Post a call with a temporary recording, which is fetched at once."""
    line.talk(call_id, OLGA)
    line.post(cmd="record", callid=call_id, record_link=url, **{"is_temp": "1", **more})
    return line.call(call_id)


def call_path(call: dict[str, Any], rest: str = "recording") -> str:
    return f"/v1/calls/{call['id']}/{rest}"


def set_rules(office: Office, **recording_settings: Any) -> None:
    """Set the tenant's recording settings."""
    now = office.owner.get("/v1/settings/telephony").json
    changed = office.owner.put("/v1/settings/telephony", {**now, "recordings": recording_settings})
    assert changed.status == 200, changed


def item_of(line: Line, call_id: str) -> CallItem:
    """Return the call's item as the functions read it."""
    office = line.office
    item = calls.read_newest(office.tenant_id, office.integration["id"], call_id)
    assert item is not None
    return item

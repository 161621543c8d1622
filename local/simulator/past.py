"""What a PBX's history says of the calls that it posted events of: rows as its REST API lists them.

Made from the very deliveries of a story, whether they arrived or not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from local.simulator.story import Message

__all__ = ["PASTS", "Sent", "remember"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery, and when the PBX sent it (UTC)."""

    message: Message
    at: datetime


def remember(provider: str, api: Any, started: datetime, sent: Sequence[Sent]) -> None:
    """Have the fake of a PBX's REST API know the calls of a story that began then."""
    PASTS[provider](api, started, sent)


def _generic(api: Any, started: datetime, sent: Sequence[Sent]) -> None:
    begun: dict[str, str] = {}
    for one in sent:
        body: Any = one.message.body or {}
        for event in body.get("events", [body]):
            begun.setdefault(event["call_id"], _iso(one.at if begun else started))
            api.events.append({"at": _iso(one.at), **event, "started_at": begun[event["call_id"]]})


def _itoolabs(api: Any, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG001 - the events say it
    ended: dict[str, datetime] = {}
    for one in sent:
        said: dict[str, Any] = {**one.message.post, **(one.message.body or {})}
        if said.get("type") in ("COMPLETED", "TRANSFERRED"):
            ended[said["callid"]] = one.at
        if said.get("cmd") != "history":
            continue
        row = {"uid": said["callid"], "type": said["type"], "status": said["status"], "client": said["phone"]}
        row |= {"user": said.get("user"), "ext": said.get("ext"), "diversion": said["diversion"]}
        row |= {"start": said["start"], "duration": said["duration"], "record": said.get("link")}
        if said["callid"] in ended:
            # Of a missed call it tells no wait.
            begun = datetime.strptime(said["start"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            row["wait"] = round((ended[said["callid"]] - begun).total_seconds()) - int(said["duration"])
        api.rows.append(row)


def _zadarma(api: Any, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG001 - the events say it
    recorded = {
        said["pbx_call_id"]: said["call_id_with_rec"] for said in map(_post, sent) if "call_id_with_rec" in said
    }
    for said in map(_post, sent):
        if said["event"] not in ("NOTIFY_END", "NOTIFY_OUT_END"):
            continue
        out, call_id = said["event"] == "NOTIFY_OUT_END", said["pbx_call_id"]
        destination = said["destination"] if out else said.get("internal", "")
        api.rows.append(
            {
                "call_type": "out" if out else "in",
                "call_id": recorded.get(call_id, ""),
                "sip": said["internal"] if out else "",
                "callstart": said["call_start"],
                "clid": said["caller_id"],
                "destination": destination,
                "disposition": said["disposition"],
                "seconds": int(said["duration"]),
                "is_recorded": "true" if call_id in recorded else "false",
                "pbx_call_id": call_id,
            }
        )


def _twilio(api: Any, started: datetime, sent: Sequence[Sent]) -> None:
    calls: dict[str, dict[str, Any]] = {}
    for one in sent:
        said, when = _post(one), format_datetime(one.at)
        if "RecordingStatus" in said:
            api.recordings.append(
                {"sid": said["RecordingSid"], "call_sid": said["CallSid"], "status": "completed", "date_created": when,
                 "media_url": said["RecordingUrl"], "uri": "/2010-04-01/x.json"}
            )  # fmt: skip
            continue
        # The first leg is the call; others may be told only when they end.
        late = one.at - timedelta(seconds=int(said.get("CallDuration", "0")))
        begun = format_datetime(late if said.get("ParentCallSid") else started)
        row = calls.setdefault(
            said["CallSid"],
            {
                "sid": said["CallSid"], "parent_call_sid": said.get("ParentCallSid"), "direction": said["Direction"],
                "from": said["From"], "to": said["To"].removeprefix("sip:"), "forwarded_from": None,
                "date_created": begun, "start_time": begun, "duration": None,
            },
        )  # fmt: skip
        if said["CallStatus"] == "in-progress":
            row["start_time"] = when
        row |= {"status": said["CallStatus"], "end_time": when, "duration": said.get("CallDuration")}
    api.calls += calls.values()


def _telnyx(api: Any, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG001 - the events say it
    rows = api.lists["webhook_deliveries"]
    for one in sent:
        body: Any = one.message.body or {}
        at = one.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        said = body["data"]["payload"]
        if body["data"]["event_type"] == "call.recording.saved":
            kept = {"id": said.get("recording_id", f"r-{len(rows)}"), "call_session_id": said["call_session_id"]}
            kept |= {"record_type": "recording", "status": "completed", "created_at": at}
            api.lists["recordings"].append(kept)
        row = {"id": f"d-{len(rows)}", "record_type": "webhook_delivery", "status": "delivered"}
        rows.append({**row, "started_at": at, "finished_at": at, "webhook": body["data"]})


def _vonage(api: Any, started: datetime, sent: Sequence[Sent]) -> None:  # noqa: ARG001 - the events say it
    legs: dict[str, dict[str, Any]] = {}
    for one in sent:
        said: Any = one.message.body or {}
        if "status" not in said or "uuid" not in said:
            continue
        at = one.at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        row = legs.setdefault(
            said["uuid"],
            {"uuid": said["uuid"], "conversation_uuid": said["conversation_uuid"], "direction": said["direction"],
             "start_time": None, "end_time": None, "from": _endpoint(said["from"]), "to": _endpoint(said["to"])},
        )  # fmt: skip
        row |= {"status": said["status"], "duration": said.get("duration", "0"), "detail": said.get("detail")}
        if said["status"] == "answered":
            row["start_time"] = at
        elif said["status"] not in ("started", "ringing"):
            row["end_time"] = at
    api.calls += legs.values()


def _endpoint(said: str) -> dict[str, str]:
    return {"type": "sip", "uri": said} if ":" in said else {"type": "phone", "number": said}


def _post(sent: Sent) -> Mapping[str, Any]:
    return sent.message.post


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


PASTS: Mapping[str, Callable[[Any, datetime, Sequence[Sent]], None]] = {
    "generic": _generic,
    "itoolabs": _itoolabs,
    "zadarma": _zadarma,
    "twilio": _twilio,
    "telnyx": _telnyx,
    "vonage": _vonage,
}

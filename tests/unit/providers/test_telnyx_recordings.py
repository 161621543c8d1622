"""Recordings of Telnyx."""

from collections.abc import Mapping
from typing import Any

import pytest

from hangtag.domain.calls.event import Kind
from hangtag.errors import BadInputError, UnreachableError
from local.simulator.providers.telnyx.api import KNOWN_RECORDING
from local.simulator.rest import Fault, Response
from telnyx_helpers import fake_account, library, parse, single_event, telnyx

URL = "https://s3.amazonaws.com/telephony-recorder-prod/acme/call.mp3?X-Amz-Expires=600"


@pytest.mark.parametrize(
    ("payload", "reference", "temporary"),
    [
        ({"recording_id": "rec-1", "recording_urls": {"mp3": URL}}, "rec-1", False),
        ({"recording_urls": {"mp3": URL}, "public_recording_urls": {}}, URL, True),
        ({"recording_urls": {"wav": URL, "mp3": ""}, "public_recording_urls": None}, URL, True),
        ({"recording_urls": {"mp3": "https://a.example/1"}, "public_recording_urls": {"mp3": URL}}, URL, False),
    ],
)
def test_recording_is_named_by_its_longest_lasting_reference(
    payload: Mapping[str, Any], reference: str, temporary: bool
) -> None:
    # start_time is the recording's, not the call's.
    event = single_event("recording.saved", leg="A", start_time="2026-03-01T11:00:00Z", **payload)
    assert (event.kind, event.call_id, event.recording) == (Kind.RECORDED, "S1", reference)
    assert (event.recording_is_temporary, event.started_at) == (temporary, None)


def test_recording_without_an_address_has_no_event() -> None:
    nowhere: tuple[dict[str, Any], ...] = (
        {},
        {"recording_urls": {}},
        {"recording_urls": []},
        {"recording_id": None, "recording_urls": None},
        {"recording_urls": {"wav": "gs://bucket-of-the-account/call.wav"}},
    )
    for payload in nowhere:
        assert parse("recording.saved", **payload).events == ()


def test_recording_address_is_requested_again_each_time() -> None:
    with fake_account() as at, library(at) as client:
        media = telnyx.recording(at.account, KNOWN_RECORDING, at.client)
        assert media.url.startswith(f"{at.server.url}/files/{KNOWN_RECORDING}.mp3")
        # The address contains its own signature; the API key is sent to the API only.
        assert media.headers == {}
        ours = at.last()
        theirs = client.recordings.retrieve(KNOWN_RECORDING).data
        assert theirs is not None
        assert theirs.download_urls is not None
        assert (theirs.download_urls.mp3, at.last().path) == (media.url, ours.path)
        request_log = len(at.server.requests)
        assert telnyx.recording(at.account, URL, at.client).url == URL
        for wrong in ("", "../balance", "a/b", "http://s3.example/x", "file:///etc/passwd", "x" * 65, "é"):
            with pytest.raises(BadInputError):
                telnyx.recording(at.account, wrong, at.client)
        assert len(at.server.requests) == request_log
        with pytest.raises(BadInputError, match="nothing with that id"):
            telnyx.recording(at.account, "deleted", at.client)
        at.server.faults += [Fault(Response(200, {"data": {"download_urls": {"mp3": 5}}}))]
        with pytest.raises(UnreachableError):
            telnyx.recording(at.account, KNOWN_RECORDING, at.client)

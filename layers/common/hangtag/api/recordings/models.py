"""Request and response models of recordings."""

from typing import Any

from pydantic import Field, model_validator

from hangtag.api.kernel.enums import RecordingState
from hangtag.api.kernel.models import Instant, RequestModel, ResponseModel

__all__ = ["Recording", "RecordingPlayback", "SetRecordingHoldRequest"]


class Recording(ResponseModel):
    """A recording of a call."""

    id: str = Field(description="Id of the recording within its call.", examples=["77be4f0c5f0c2a7b"])
    temporary: bool = Field(description="True if the PBX deletes its recording soon after the call.", examples=[False])
    state: RecordingState = Field(description="State of the recording.", examples=["archived"])
    reason: str | None = Field(
        description="The reason in English why the copy is pending or failed; null in other states.",
        examples=["The PBX returned a server error (HTTP 503)."],
    )
    size: int | None = Field(description="Size of the copy in bytes; null without a copy.", examples=[482300])
    media_type: str | None = Field(description="Media type of the copy; null without a copy.", examples=["audio/mpeg"])
    retention_hold: bool = Field(
        description="True if neither retention nor an erasure deletes the recording.", examples=[False]
    )


class RecordingPlayback(ResponseModel):
    """URL of a recording."""

    call_id: str = Field(
        description="Id of the call.", examples=["9a41c03d5b7e8f26.4f0c7be1d94c365f0c2a7be1d94c36aa.0000"]
    )
    recording_id: str = Field(description="Id of the recording.", examples=["77be4f0c5f0c2a7b"])
    url: str = Field(
        description="URL of the audio; supports range requests. Send no authorization header to it.",
        examples=["https://hangtag-recordings.s3.amazonaws.com/77be4f0c5f0c2a7b.mp3?X-Amz-Signature=4f0c"],
    )
    expires_at: Instant | None = Field(
        description="End of the URL's validity; null for the PBX's own URL.", examples=["2026-11-30T20:56:53.855Z"]
    )
    media_type: str | None = Field(
        description="Media type of the audio; null if it is unknown.", examples=["audio/mpeg"]
    )
    size: int | None = Field(description="Size in bytes; null if it is unknown.", examples=[482300])


class SetRecordingHoldRequest(RequestModel):
    """Place or release a retention hold."""

    retention_hold: bool = Field(
        description="True: neither retention nor an erasure deletes the recording.", examples=[True]
    )
    held: bool | None = Field(
        default=None,
        description="Earlier name of `retention_hold`; accepted until the next release.",
        examples=[True],
        deprecated=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _earlier_name(cls, body: Any) -> Any:
        """Take `held` for a missing `retention_hold`."""
        if isinstance(body, dict) and "held" in body and "retention_hold" not in body:
            return {**body, "retention_hold": body["held"]}
        return body

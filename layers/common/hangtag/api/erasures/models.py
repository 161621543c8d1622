"""Request and response models of erasures."""

from typing import Annotated

from pydantic import Field

from hangtag.api.kernel.enums import JobState
from hangtag.api.kernel.models import Instant, PhoneText, RequestModel, ResponseModel

__all__ = ["Erasure", "StartErasureRequest", "StartedErasure"]


class StartErasureRequest(RequestModel):
    """Body of `startErasure`."""

    number: Annotated[
        PhoneText,
        Field(description="Phone number of the person to erase, in any format.", examples=["+442079460010"]),
    ]


class StartedErasure(ResponseModel):
    """Erasure that runs in the background."""

    id: Annotated[str, Field(description="Id of the erasure.", examples=["62cdb7020ff920e5aa642c3d4066950d"])]
    state: Annotated[JobState, Field(description="State of the erasure.", examples=["running"])]


class Erasure(StartedErasure):
    """Receipt of an erasure."""

    number_digest: Annotated[
        str,
        Field(
            description="Digest of the erased number. The number itself is not stored.",
            examples=["0a1b2c3d4e5f60718293a4b5c6d7e8f9"],
        ),
    ]
    counts: Annotated[
        dict[str, int],
        Field(
            description=(
                "Number of erased or cleaned items by kind: contact, tag, comment, missed_call, call, task, message, "
                "webhook_request, export. Kinds without items are absent."
            ),
            examples=[{"contact": 1, "tag": 3, "call": 4}],
        ),
    ]
    created_at: Annotated[
        Instant, Field(description="Time of the request for the erasure.", examples=["2026-11-30T20:41:53.855Z"])
    ]
    finished_at: Annotated[
        Instant | None,
        Field(description="End of the erasure. Null while it runs.", examples=["2026-11-30T20:42:10.120Z"]),
    ]

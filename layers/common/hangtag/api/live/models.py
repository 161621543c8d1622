"""Response models of the live channel's tickets."""

from pydantic import Field

from hangtag.api.kernel.models import Instant, ResponseModel

__all__ = ["LiveTicket"]


class LiveTicket(ResponseModel):
    """Single-use permission to open one WebSocket connection."""

    url: str = Field(
        description="WebSocket URL with the ticket; connect to it before `expires_at`.",
        examples=["wss://live.example.com/prod?ticket=hangtag_live_4f0c7be1d94c365f"],
    )
    expires_at: Instant = Field(
        description="End of the ticket's validity, 30 seconds after its creation.",
        examples=["2026-11-30T20:42:23.855Z"],
    )

"""Fakes of the PBXs' REST APIs, over real HTTP on loopback."""

from local.simulator.rest.base import (
    Asked,
    ClickToCallRest,
    Fault,
    NoApi,
    Reply,
    Request,
    Response,
    Rest,
    Server,
    load,
    serving,
)

__all__ = [
    "Asked",
    "ClickToCallRest",
    "Fault",
    "NoApi",
    "Reply",
    "Request",
    "Response",
    "Rest",
    "Server",
    "load",
    "serving",
]

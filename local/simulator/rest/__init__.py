"""Fakes of the PBXs' REST APIs, over real HTTP on loopback."""

from local.simulator.rest.base import (
    ClickToCallRest,
    Fault,
    NoApi,
    Request,
    Response,
    Rest,
    Server,
    load,
    serving,
)

__all__ = [
    "ClickToCallRest",
    "Fault",
    "NoApi",
    "Request",
    "Response",
    "Rest",
    "Server",
    "load",
    "serving",
]

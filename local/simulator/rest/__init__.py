"""Fakes of the PBXs' REST APIs, over real HTTP on loopback."""

from local.simulator.rest.base import Asked, Fault, NoApi, Reply, Request, Rest, Server, TakesClicks, load, serving

__all__ = ["Asked", "Fault", "NoApi", "Reply", "Request", "Rest", "Server", "TakesClicks", "load", "serving"]

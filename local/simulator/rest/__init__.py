"""Fakes of the PBXs' REST APIs: a module each, of the adapter's name, over real HTTP on loopback."""

from local.simulator.rest.base import Asked, Fault, Reply, Rest, Server, TakesClicks, load, serving

__all__ = ["Asked", "Fault", "Reply", "Rest", "Server", "TakesClicks", "load", "serving"]

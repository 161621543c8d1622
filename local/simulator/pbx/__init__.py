"""Simulated PBXs: a module each, of the adapter's name, that sends and signs as the real one does."""

from local.simulator.pbx.base import Pbx, Request, load

__all__ = ["Pbx", "Request", "load"]

"""Simulated PBXs: the interface of a webhook sender, and what the senders share."""

from local.simulator.pbx.base import Pbx, Request, load

__all__ = ["Pbx", "Request", "load"]

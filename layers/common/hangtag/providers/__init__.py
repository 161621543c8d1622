"""The PBXs. A provider is one module, the form of what it needs, one folder of stories and one row of the docs.

A module is loaded by name when a request for it comes, so that one provider costs the others nothing.
"""

from hangtag.providers.registry import CAPABILITIES, PROVIDERS, capabilities, load, optional

__all__ = ["CAPABILITIES", "PROVIDERS", "capabilities", "load", "optional"]

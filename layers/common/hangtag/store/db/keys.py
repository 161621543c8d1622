"""Keys of the one table, all built here. Different inputs never give equal keys.

Imports only the standard library: it is on the webhook's path.
"""

import hashlib

SEPARATOR = "#"
LIVE_SHARDS = 8
DAY_SHARDS = 4


def key(*parts: str) -> str:
    """Join parts into one key, injectively: `key(*a) == key(*b)` only if `a == b`.

    `#` and the escape character itself are escaped inside a part. Lone surrogates, which DynamoDB cannot
    store, are escaped as well. Raises ValueError when no part is given.
    """
    if not parts:
        raise ValueError("a key needs at least one part")
    return SEPARATOR.join(map(_escape, parts))


def _escape(part: str) -> str:
    escaped = part.replace("%", "%25").replace(SEPARATOR, "%23")
    if escaped.isascii():
        return escaped
    return "".join(
        f"%u{ord(character):x};" if 0xD800 <= ord(character) <= 0xDFFF else character for character in escaped
    )


def digest(*parts: str) -> str:
    """Return 32 hexadecimal characters (128 bits of SHA-256) that identify any sequence of parts."""
    encoded = key(*parts).encode()
    return hashlib.sha256(encoded).hexdigest()[:32]


def call_pk(tenant_id: str, integration_id: str, call_id: str) -> str:
    """Return the partition of all generations of a call, with a digest of the PBX's id: such ids can embed numbers."""
    return key("T", tenant_id, "CALL", integration_id, digest(call_id))


def call_sk(generation: int) -> str:
    """Return the sort key of one generation of a call; the tracker's stream filter matches its prefix."""
    return key("CALL", f"{generation:04d}")


def live_shard(number: int) -> str:
    """Return one of the LIVE_SHARDS partitions of the index of live calls; all tenants' calls are spread over them."""
    return f"LIVE#{number}"


def shard(of: str, count: int) -> int:
    """Return a stable shard number in [0, count) for a key, to spread an index's load."""
    return int(hashlib.sha256(of.encode()).hexdigest()[:8], 16) % count

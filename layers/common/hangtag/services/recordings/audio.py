"""Detection of audio files by their first bytes. Pure."""

__all__ = ["HEAD_BYTES", "media_type"]

HEAD_BYTES = 16
_STARTS = (
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR", "audio/amr"),
    (b"\x1aE\xdf\xa3", "audio/webm"),
    (b".snd", "audio/basic"),
)
# The second byte of an MPEG frame: version and layer; layer 0 is AAC's own framing.
_LAYERS = 0b0110


def media_type(head: bytes) -> str | None:
    """Return the media type of a file from its first 16 bytes; None if it is not audio.

    Containers that can also hold video (MP4, WebM) count as audio: PBXs use them for voice.
    """
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[4:8] == b"ftyp":
        return "audio/mp4"
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return _frame(head)
    return None


def _frame(head: bytes) -> str | None:
    """Return the media type of an MPEG audio frame; None for reserved versions and rates."""
    if head[1] & _LAYERS == 0:
        return "audio/aac" if head[1] & 0xF0 == 0xF0 else None
    version, rate = head[1] >> 3 & 0b11, head[2] >> 2 & 0b11 if len(head) > 2 else 0b11
    bits = head[2] >> 4 if len(head) > 2 else 0b1111
    return None if version == 0b01 or rate == 0b11 or bits == 0b1111 else "audio/mpeg"

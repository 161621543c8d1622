"""Word lists of the house language: the words to avoid, the glossary's dropped names, and their replacements."""

import re
from collections.abc import Mapping
from typing import NamedTuple


class Category(NamedTuple):
    """One row of the word list: the words to avoid, and what to write instead."""

    pattern: re.Pattern[str]
    instead: str


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(alternatives).replace(" ", r"\s+") + r")\b", re.IGNORECASE)


WORDS: Mapping[str, Category] = {
    "speech": Category(
        _words("say", "says", "said", "saying", "tells?", "told", "telling", "hears?", "heard", "ask(?:s|ed|ing)?"),
        "contains, reports, sends, returns, requests, is notified",
    ),
    "archaic": Category(
        _words("anew", "lately", "besides?", "hinder(?:s|ed)?", "mend(?:s|ed)?", "thereof", "wherein"),
        "again, recently, next to, in addition, prevent, fix",
    ),
    "negative": Category(
        _words("is no", "are no", "was no", "is (?-i:none)", "nobody(?:['’]s)?", "no one['’]s"),
        "is not a, unknown, missing, unassigned",
    ),
    "relative": Category(
        re.compile(r"\b(?i:whom|whoever|whatever|whichever)\b|(?:\A|(?<=[.!?:]\s))\s*Whose\b"), "two sentences"
    ),
    "preposition": Category(_words("(?:of|by|from|in) which"), "a second sentence"),
    "obligation": Category(_words("(?:is|are|be) to be", "has yet to"), "should be, pending, not yet"),
    "metaphor": Category(
        _words(
            "doors?",
            "(?:take[sn]?|took|taking) in",
            "put(?:s|ting)? off",
            "work(?:s|ed|ing)? off",
            "look(?:s|ed|ing)? after",
            "bur(?:y|ies|ied|ying)",
            "dress(?:es|ed|ing)?",
            "judg(?:es?|ed|ing)",
            "the way of an?",
        ),
        "client, ingest, queue, process, renew, dead-letter, verify",
    ),
    "vague": Category(
        _words("so that it", "all the same", "else", "none of it", "comes to", "what became of"),
        "the name of the thing",
    ),
}
HEADLESS = Category(
    re.compile(r"\s*(?:What|Whether|Who|Whom|Whose|How|Which|Where|When|Why|That|The same)\b", re.IGNORECASE),
    "an imperative or a noun phrase",
)
TEXT_CATEGORIES = (
    *("speech", "headless", "negative", "relative", "archaic", "obligation", "metaphor"),
    *("preposition", "vague"),
)

# The glossary: dropped names of classes, functions and parameters, with their replacements.
GLOSSARY: Mapping[str, str] = {
    "Delivery": "QueuedWebhook or RequestLogEntry",
    "Understood": "ParsedWebhook",
    "Hook": "WebhookEndpoint",
    "find_hook": "find_endpoint",
    "hook": "endpoint",
    "Answer": "Response",
    "answer": "response",
    "Door": "PbxClient",
    "PbxDoor": "RateLimitedClient",
    "door": "client",
    "Trust": "VerificationKeys",
    "trust": "keys",
    "Accepted": "ParseResult",
    "Reply": "WebhookResponse",
    "RefusedError": "WebhookRejected or TransactionRejected",
    "UnverifiedError": "SignatureError",
    "UnreadableError": "PayloadError",
    "take_in": "ingest",
    "Joined": "AppendResult",
    "Appended": "AppendStatus",
    "Taken": "IngestedEvent or RequestModel",
    "Given": "ResponseModel",
    "Led": "EventResult",
    "_park": "_enqueue_fallback",
    "bury": "move_to_dead_letters",
    "list_dead": "list_dead_letters",
    "Once": "IdempotencyRecord",
    "once": "idempotent",
    "compared": "reconciliation",
    "look_after": "renew_subscription",
    "meet": "lookup_caller",
    "Resolution": "PartySnapshot",
    "clicked": "match_click",
    "Placed": "PlacedCall",
    "HoldIn": "HoldRecordingRequest",
    "held": "retention_hold",
    "unsigned": "unverified_fields",
    "say": "publish",
    "saying": "update",
}
PARTICIPLES = frozenset(
    {"said", "told", "asked", "led", "taken", "given", "kept", "wanted", "found", "made", "known", "seen"}
)
NOUN = "the noun: payload, message, results, stored, body, request"

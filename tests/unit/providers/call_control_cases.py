"""Cases shared by the tests of the voice APIs."""

import pytest

# Changes of a valid click, changed settings, and a word of the error message.
each_invalid_click = pytest.mark.parametrize(
    ("changes", "settings", "words"),
    [
        ({"number": "sip:x@evil.example"}, {}, "digits"),
        ({"number": ""}, {}, "digits"),
        ({"extension": "101@evil.example;x="}, {}, "extension"),
        ({"extension": ""}, {}, "extension"),
        ({}, {"caller_id": None}, "caller_id is not entered"),
    ],
)

"""Connection check, extensions and credentials of Telnyx."""

import base64
import itertools
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from hangtag.errors import BadInputError, TooManyError, UnreachableError
from hangtag.providers.telnyx.form import INFOS, TelnyxCredentials, TelnyxSettings
from local.simulator.providers.telnyx import pbx as simulated
from local.simulator.rest import Fault, Response
from telnyx_helpers import OWN, SETTINGS, WORKED_KEY, fake_account, library, telnyx


def test_server_error_or_rate_limit_maps_to_its_exception() -> None:
    with fake_account() as at:
        for status, error in ((500, UnreachableError), (503, UnreachableError), (429, TooManyError)):
            at.server.faults += [Fault(Response(status, {"errors": [{"code": "10007"}]}))]
            with pytest.raises(error):
                telnyx.ping(at.account, at.client)


def test_connection_check_covers_the_application() -> None:
    with fake_account() as at:
        results = telnyx.ping(at.account, at.client)
        assert (results.what, results.ok) == ("pbx", True)
        assert at.last().path == f"/v2/call_control_applications/{simulated.CREDENTIALS['connection_id']}"
        at.api.application["active"] = False
        assert not telnyx.ping(at.account, at.client).ok
        at.api.application |= {"active": True, "webhook_api_version": "1"}
        assert "v2" in telnyx.ping(at.account, at.client).detail
        assert not telnyx.ping(at.account, at.client).ok
        other = replace(at.account, credentials={**at.account.credentials, "connection_id": "1"})
        with pytest.raises(BadInputError, match="nothing with that id"):
            telnyx.ping(other, at.client)
        by_history = telnyx.ping(at.without("connection_id"), at.client)
        assert (by_history.ok, at.last().path) == (True, "/v2/balance")
        assert "connection_id" in by_history.detail
        request_log = len(at.server.requests)
        assert telnyx.ping(at.without("api_key"), at.client).ok
        assert len(at.server.requests) == request_log


def test_connection_check_uses_the_paths_of_the_vendor_library() -> None:
    with fake_account() as at, library(at) as client:
        connection = simulated.CREDENTIALS["connection_id"]
        application = client.call_control_applications.retrieve(connection).data
        assert application is not None
        assert application.active
        telnyx.ping(at.account, at.client)
        client.balance.retrieve()
        telnyx.ping(at.without("connection_id"), at.client)
        paths = [request_log.path for request_log in at.server.requests]
        assert (paths[0], paths[2]) == (paths[1], paths[3])


def test_extensions_are_the_users_of_sip_credentials() -> None:
    with fake_account() as at, library(at) as client:
        at.api.lists["telephony_credentials"] += [
            {"sip_username": "gone", "name": "Gone", "expired": True},
            {"sip_username": "anna101", "name": "Again"},
            {"sip_username": "", "name": "Nobody"},
            {"sip_username": ["x"], "name": "Odd"},
            {"sip_username": "nameless"},
        ]
        at.api.page_size = 2
        results = {one.extension: one.name for one in telnyx.extensions(at.account, at.client)}
        assert results == {"anna101": "Anna", "gencredBoris": "Boris", "nameless": ""}
        ours = [request_log.path for request_log in at.server.requests]
        at.server.requests.clear()
        assert [one.user_name for one in client.credential_connections.list()] == ["anna101"]
        assert next(iter(client.telephony_credentials.list())).sip_username == "gencredBoris"
        assert {request_log.path for request_log in at.server.requests} == set(ours)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "nonsense",
        "KEY0191A1B2C3D4E5F60718293A4B5C6D7E",
        base64.b64decode(WORKED_KEY).hex(),
        WORKED_KEY.rstrip("="),
        f" {WORKED_KEY}",
        f"{WORKED_KEY}\n",
        WORKED_KEY.replace("/", "_"),
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(33)).decode(),
        "é" * 44,
    ],
)
def test_malformed_public_key_is_rejected_with_an_explanation(key: str) -> None:
    with pytest.raises(ValidationError, match="The public key must be 44 characters"):
        TelnyxCredentials.model_validate({"public_key": key})
    assert TelnyxCredentials.model_validate({"public_key": WORKED_KEY}).public_key == WORKED_KEY


def weak_keys() -> list[bytes]:
    prime = 2**255 - 19
    of_order_8 = int.from_bytes(
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
    )
    values = (0, 1, prime - 1, prime, prime + 1, of_order_8, prime - of_order_8)
    return [(value + sign).to_bytes(32, "little") for value in values for sign in (0, 2**255)]


def can_be_forged(key: bytes) -> bool:
    """Return whether a signature of only a small-order point verifies for one of 16 messages."""
    from cryptography.exceptions import InvalidSignature

    for point, number in itertools.product(weak_keys(), range(16)):
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(point + bytes(32), b"forged %d" % number)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


def test_weak_public_key_is_rejected() -> None:
    forgeable = [key for key in weak_keys() if can_be_forged(key)]
    assert len(forgeable) >= 7
    assert not can_be_forged(base64.b64decode(WORKED_KEY))
    for key in weak_keys():
        with pytest.raises(ValidationError, match="anybody could sign"):
            TelnyxCredentials.model_validate({"public_key": base64.b64encode(key).decode()})


def test_only_the_public_key_is_required() -> None:
    typed = TelnyxCredentials.model_validate({"public_key": WORKED_KEY, "api_key": "KEY0191_secret"})
    assert "KEY0191_secret" not in repr(typed)
    assert TelnyxCredentials.model_validate({"public_key": WORKED_KEY}).api_key is None
    for settings in (
        {"caller_id": "101"},
        {"lines": "all"},
        {"lines": "+74951230001 +74951230002"},
        {"lines": f"{OWN},"},
        {"sip_domain": "a b"},
        {"more": 1},
    ):
        with pytest.raises(ValidationError):
            TelnyxSettings.model_validate(settings)
    TelnyxSettings.model_validate(dict(SETTINGS))


def test_instructions_contain_the_webhook_address_once() -> None:
    (info,) = INFOS
    url = "https://hooks.example.com/hooks/telnyx/T"
    assert sum(url in step for step in info.instructions(url)) == 1

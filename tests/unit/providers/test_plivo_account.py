"""Connection check, extensions and credentials of Plivo."""

import pytest
from pydantic import ValidationError

from fake_clients import PlainClient
from hangtag.providers.plivo.form import PlivoCredentials
from plivo_helpers import fake_account, plivo


@pytest.mark.parametrize("auth_id", ["", "MA", "ma" * 10, "MAXXXXXXXXXXXXXXXXX1/", "MAXXXXXXXXXXXXXXXX/.."])
def test_malformed_auth_id_is_rejected(auth_id: str) -> None:
    with pytest.raises(ValidationError):
        PlivoCredentials.model_validate({"auth_id": auth_id, "auth_token": "long enough"})


def test_endpoints_are_the_extensions_of_the_account() -> None:
    with fake_account() as (_, _server, account):
        assert [(one.extension, one.name) for one in plivo.extensions(account, PlainClient())] == [
            ("101", "Anna"),
            ("102", "Boris"),
        ]
        assert plivo.ping(account, PlainClient()).ok

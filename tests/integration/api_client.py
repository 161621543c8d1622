"""The public API for tests: answers as they are, and an office to start from."""

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

import requests

TIMEOUT_SECONDS = 60
# The embedded runtime refuses what is over its concurrency.
BUSY = 429
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said. `json` is None if it said nothing."""

    status: int
    json: Any
    headers: requests.structures.CaseInsensitiveDict[str]

    @property
    def media(self) -> str:
        """The content type."""
        return self.headers.get("content-type", "")


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls the API with one token, or none."""

    url: str
    token: str | None = None

    def with_token(self, token: str | None) -> "Caller":
        """The same API for somebody else."""
        return Caller(self.url, token)

    def send(self, method: str, path: str, **request: Any) -> Answer:
        """One request; `headers`, `params`, `json` and `data` as requests takes them."""
        headers = dict(request.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("authorization", f"Bearer {self.token}")
        while True:
            answer = requests.request(method, self.url + path, headers=headers, timeout=TIMEOUT_SECONDS, **request)
            # The API says so itself in a form of its own.
            if answer.status_code != BUSY or answer.headers["content-type"] == PROBLEM:
                break
            time.sleep(0.05)
        return Answer(answer.status_code, json.loads(answer.text) if answer.text else None, answer.headers)

    def get(self, path: str, **params: Any) -> Answer:
        """GET with query parameters."""
        return self.send("GET", path, params=params)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """POST JSON; underscores in header names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", path, json=body, headers=named)

    def put(self, path: str, body: Any) -> Answer:
        """PUT JSON."""
        return self.send("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> Answer:
        """PATCH JSON."""
        return self.send("PATCH", path, json=body)

    def asked(self, path: str, body: Any) -> Any:
        """POST that has to succeed without making anything; the answer."""
        answer = self.post(path, body)
        assert answer.status == 200, answer
        return answer.json

    def made(self, path: str, body: Any) -> Any:
        """POST that has to succeed; what was made."""
        answer = self.post(path, body)
        assert answer.status == 201, answer
        return answer.json


@dataclass(frozen=True, slots=True)
class Office:
    """A tenant with one PBX, one employee who has extension 101, and their tokens."""

    operator: Caller
    owner: Caller
    employee: Caller
    tenant_id: str
    integration: Any
    anna: Any


def open_office(url: str, operator_token: str, country: str = "RU") -> Office:
    """A new tenant that is ready to be called."""
    operator = Caller(url, operator_token)
    tenant = operator.made("/v1/tenants", {"name": f"Office {secrets.token_hex(3)}", "country": country})
    owner = operator.with_token(tenant["owner_token"])
    wanted = {"provider": "telephony_api", "name": "PBX", "credentials": {"pbx_token": "pbx-key-of-the-tenant"}}
    integration = owner.made("/v1/integrations", wanted)
    extension = {"integration_id": integration["id"], "extension": "101"}
    anna = owner.made("/v1/employees", {"name": "Anna", "phones": ["+79100000101"], "extensions": [extension]})
    token = owner.made("/v1/tokens", {"employee_id": anna["id"]})["token"]
    return Office(operator, owner, operator.with_token(token), tenant["id"], integration, anna)


def hire(office: Office, name: str, extension: str) -> tuple[str, Caller]:
    """One more employee: the id, and the API with that employee's token."""
    held = {"integration_id": office.integration["id"], "extension": extension}
    made = office.owner.made("/v1/employees", {"name": name, "extensions": [held]})["id"]
    return made, office.owner.with_token(office.owner.made("/v1/tokens", {"employee_id": made})["token"])

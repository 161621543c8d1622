"""Client of the public API for tests, and a new office to start from."""

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

import requests

TIMEOUT_SECONDS = 60
# Status of the embedded runtime for requests over its concurrency.
BUSY = 429
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Response:
    """One response of the API. `json` is None if the body is empty."""

    status: int
    json: Any
    headers: requests.structures.CaseInsensitiveDict[str]

    @property
    def media(self) -> str:
        """Return the content type."""
        return self.headers.get("content-type", "")


@dataclass(frozen=True, slots=True)
class Caller:
    """Client of the API with one token, or none."""

    url: str
    token: str | None = None

    def with_token(self, token: str | None) -> "Caller":
        """Return a client of the same API with another token."""
        return Caller(self.url, token)

    def send(self, method: str, path: str, **request: Any) -> Response:
        """Send one request. `headers`, `params`, `json` and `data` are those of `requests.request`."""
        headers = dict(request.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("authorization", f"Bearer {self.token}")
        while True:
            response = requests.request(method, self.url + path, headers=headers, timeout=TIMEOUT_SECONDS, **request)
            # The API's own rate limits return a problem document.
            if response.status_code != BUSY or response.headers["content-type"] == PROBLEM:
                break
            time.sleep(0.05)
        return Response(response.status_code, json.loads(response.text) if response.text else None, response.headers)

    def get(self, path: str, **params: Any) -> Response:
        """Send a GET request with query parameters."""
        return self.send("GET", path, params=params)

    def post(self, path: str, body: Any, **headers: str) -> Response:
        """Send a POST request with JSON; underscores in header names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", path, json=body, headers=named)

    def put(self, path: str, body: Any) -> Response:
        """Send a PUT request with JSON."""
        return self.send("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> Response:
        """Send a PATCH request with JSON."""
        return self.send("PATCH", path, json=body)

    def run(self, path: str, body: Any) -> Any:
        """Send a POST request that must return 200. Return its JSON."""
        response = self.post(path, body)
        assert response.status == 200, response
        return response.json

    def create(self, path: str, body: Any) -> Any:
        """Send a POST request that must return 201. Return the created resource."""
        response = self.post(path, body)
        assert response.status == 201, response
        return response.json


@dataclass(frozen=True, slots=True)
class Office:
    """A tenant with one PBX, and one employee with extension 101, and their tokens."""

    operator: Caller
    owner: Caller
    employee: Caller
    tenant_id: str
    integration: Any
    anna: Any


def open_office(url: str, operator_token: str, country: str = "RU") -> Office:
    """Create a tenant that can receive calls."""
    operator = Caller(url, operator_token)
    tenant = operator.create("/v1/tenants", {"name": f"Office {secrets.token_hex(3)}", "country": country})
    owner = operator.with_token(tenant["owner_token"])
    connection = {"provider": "telephony_api", "name": "PBX", "credentials": {"pbx_token": "pbx-key-of-the-tenant"}}
    integration = owner.create("/v1/integrations", connection)
    extension = {"integration_id": integration["id"], "extension": "101"}
    anna = owner.create("/v1/employees", {"name": "Anna", "phones": ["+79100000101"], "extensions": [extension]})
    token = owner.create("/v1/tokens", {"employee_id": anna["id"]})["token"]
    return Office(operator, owner, operator.with_token(token), tenant["id"], integration, anna)


def hire(office: Office, name: str, extension: str) -> tuple[str, Caller]:
    """Create another employee. Return the id and a client with the employee's token."""
    mapping = {"integration_id": office.integration["id"], "extension": extension}
    employee_id = office.owner.create("/v1/employees", {"name": name, "extensions": [mapping]})["id"]
    token = office.owner.create("/v1/tokens", {"employee_id": employee_id})["token"]
    return employee_id, office.owner.with_token(token)


def assert_problem(response: Response, status: int) -> None:
    """Check that the response is a problem document with this status."""
    assert response.status == status, response
    assert response.media == PROBLEM
    assert response.json["status"] == status
    assert response.headers["cache-control"] == "no-store"


def invalid_fields(response: Response) -> list[str]:
    """Return the fields that a problem document reports."""
    return [fault["field"] for fault in response.json["errors"]]

"""Tokens of the operator's identity provider, with keys fetched over HTTP from a fake issuer."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.utils import base64url_encode

from fake_issuer import AUDIENCE, FakeIssuer, SigningKey, by_hand, issuing, make_key
from hangtag.api.kernel import oidc
from hangtag.api.kernel.oidc import Identity, Issuer, Settings
from hangtag.errors import UnauthorizedError, UnavailableError

TENANT = "0123456789abcdef"
EMPLOYEE = "fedcba9876543210"
REFUSED = "The token is not valid."
FIRST = make_key("first")
SECOND = make_key("second")
OF_TENANT = {"tenant": TENANT, "role": "admin"}


@dataclass(slots=True)
class Clock:
    """Clock that tests set by hand."""

    at: float = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.at


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOUND_LOOPBACK", "true")


@pytest.fixture
def fake() -> Iterator[FakeIssuer]:
    with issuing(FIRST) as started:
        yield started


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(fake: FakeIssuer, clock: Clock) -> Issuer:
    return Issuer(Settings(fake.url, AUDIENCE), clock)


def assert_rejected(issuer: Issuer, token: str) -> None:
    with pytest.raises(UnauthorizedError) as raised:
        issuer.read(token)
    assert (raised.value.message, raised.value.fields) == (REFUSED, ())


# ------------------------------------------------------------------ accepted tokens


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_claims_identify_tenant_with_role_and_employee(algorithm: str) -> None:
    key = make_key(f"key-{algorithm}", algorithm)
    with issuing(key) as fake:
        issuer = Issuer(Settings(fake.url, AUDIENCE))
        token = fake.token(key, tenant=TENANT, role="employee", employee=EMPLOYEE)
        assert issuer.read(token) == Identity(TENANT, "employee", EMPLOYEE, "user-1")


def test_operator_configures_the_names_of_the_claims(fake: FakeIssuer) -> None:
    issuer = Issuer(Settings(fake.url, AUDIENCE, "https://saas/org", "https://saas/role", "https://saas/staff"))
    claims = {"https://saas/org": TENANT, "https://saas/role": "owner", "https://saas/staff": None}
    assert issuer.read(fake.token(FIRST, **claims)) == Identity(TENANT, "owner", None, "user-1")
    assert_rejected(issuer, fake.token(FIRST, **OF_TENANT))


def test_token_of_several_audiences_or_a_skewed_clock_is_accepted(fake: FakeIssuer, issuer: Issuer) -> None:
    at = int(time.time())
    issuer.read(fake.token(FIRST, aud=["other", AUDIENCE], **OF_TENANT))
    issuer.read(fake.token(FIRST, iat=at + 30, nbf=at + 30, exp=at - 30, **OF_TENANT))


def test_single_matching_key_without_an_id_is_accepted(fake: FakeIssuer, issuer: Issuer) -> None:
    fake.keys = [FIRST.jwk(kid=None), make_key("ec", "ES256").jwk(kid=None)]
    nameless = {"kid": None}
    token = fake.token(FIRST, headers=nameless, **OF_TENANT)
    assert issuer.read(token).tenant_id == TENANT
    fake.keys.append(SECOND.jwk(kid=None))
    assert_rejected(Issuer(Settings(fake.url, AUDIENCE)), token)


# ------------------------------------------------------------------ rejected tokens


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
        {"aud": ""},
        {"iss": "https://another.example"},
        {"iss": None},
        {"iss": ["list"]},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": float("inf")},
        {"exp": {"a": 1}},
        {"iat": None},
        {"iat": 9_999_999_999},
        {"nbf": 9_999_999_999},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "line\nbreak"},
        {"tenant": None},
        {"tenant": ""},
        {"tenant": "0123"},
        {"tenant": [TENANT]},
        {"tenant": TENANT.upper()},
        {"role": None},
        {"role": "operator"},
        {"role": "Owner"},
        {"role": "anyone"},
        {"role": ["admin"]},
        {"role": {"admin": True}},
        {"employee": ""},
        {"employee": "Anna"},
        {"employee": [EMPLOYEE]},
    ],
    ids=lambda claims: f"{next(iter(claims))}={next(iter(claims.values()))!s:.20}",
)
def test_token_with_an_invalid_claim_is_rejected(fake: FakeIssuer, issuer: Issuer, claims: dict[str, Any]) -> None:
    assert issuer.read(fake.token(FIRST, **OF_TENANT))
    # Signed by hand, because a library would not write some of the claims.
    whole = by_hand({"alg": "RS256", "kid": "first"}, fake.claims(**{**OF_TENANT, **claims}))
    assert_rejected(issuer, sign(FIRST, whole))


def sign(key: SigningKey, token: str) -> str:
    """Return the token with a valid signature."""
    signed = token.rsplit(".", 1)[0]
    algorithm: Any = jwt.get_algorithm_by_name(key.algorithm)
    signature = base64url_encode(algorithm.sign(signed.encode(), key.private)).decode()
    return f"{signed}.{signature}"


def test_signature_made_by_hand_is_accepted_with_valid_claims(fake: FakeIssuer, issuer: Issuer) -> None:
    whole = by_hand({"alg": "RS256", "kid": "first"}, fake.claims(**OF_TENANT))
    assert issuer.read(sign(FIRST, whole)).tenant_id == TENANT


def test_token_without_a_signature_is_rejected(fake: FakeIssuer, issuer: Issuer) -> None:
    claims = fake.claims(**OF_TENANT)
    for algorithm in ("none", "None", "NONE", "", None, 0, ["RS256"], "RS256"):
        assert_rejected(issuer, by_hand({"alg": algorithm, "kid": "first"}, claims))


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "RS1", "RS384", "ES256K"])
def test_unsupported_algorithm_is_rejected_without_a_request(fake: FakeIssuer, issuer: Issuer, algorithm: str) -> None:
    assert_rejected(issuer, by_hand({"alg": algorithm, "kid": "first"}, fake.claims(**OF_TENANT), b"x" * 256))
    assert fake.server.requests == []


def test_public_key_is_rejected_as_an_hmac_secret(fake: FakeIssuer, issuer: Issuer) -> None:
    public = FIRST.private.public_key()
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(FIRST.jwk()).encode(),
    ]
    for secret in secrets:
        unsigned = by_hand({"alg": "HS256", "kid": "first"}, fake.claims(**OF_TENANT)).rsplit(".", 1)[0]
        mac = hmac.digest(secret, unsigned.encode(), hashlib.sha256)
        assert_rejected(issuer, f"{unsigned}.{base64url_encode(mac).decode()}")


def test_key_is_used_only_as_its_issuer_declares(fake: FakeIssuer) -> None:
    small = SigningKey("first", "RS256", rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505
    for keys, token in (
        ([FIRST.jwk(use="enc")], fake.token(FIRST, **OF_TENANT)),
        ([FIRST.jwk(alg="PS256")], fake.token(FIRST, **OF_TENANT)),
        ([FIRST.jwk(key_ops=["encrypt"])], fake.token(FIRST, **OF_TENANT)),
        ([FIRST.jwk(n="AQAB")], fake.token(FIRST, **OF_TENANT)),
        ([FIRST.jwk(n=7)], fake.token(FIRST, **OF_TENANT)),
        ([FIRST.jwk(kty="oct", k="c2VjcmV0")], fake.token(FIRST, **OF_TENANT)),
        ([], fake.token(FIRST, **OF_TENANT)),
        ([SECOND.jwk(kid="first")], fake.token(FIRST, **OF_TENANT)),
        ([make_key("ec", "ES256").jwk(kid="first")], fake.token(FIRST, **OF_TENANT)),
        ([small.jwk(key_ops=None)], sign(small, by_hand({"alg": "RS256", "kid": "first"}, fake.claims(**OF_TENANT)))),
    ):
        fake.keys = keys
        assert_rejected(Issuer(Settings(fake.url, AUDIENCE)), token)


def test_key_inside_of_a_token_is_ignored(fake: FakeIssuer, issuer: Issuer) -> None:
    stranger = make_key("stranger")
    for headers in ({"jwk": stranger.jwk()}, {"jku": f"{fake.url}/keys"}, {"x5u": fake.url, "kid": "first"}):
        assert_rejected(issuer, fake.token(stranger, headers=headers, **OF_TENANT))
    assert_rejected(issuer, fake.token(FIRST, headers={"crit": ["exp"]}, **OF_TENANT))


def test_huge_token_is_rejected_before_it_is_parsed(fake: FakeIssuer, issuer: Issuer) -> None:
    token = fake.token(FIRST, more="x" * 8192, **OF_TENANT)
    assert len(token) > 8192
    assert_rejected(issuer, token)
    assert_rejected(issuer, "a." * 5_000_000 + "b")
    assert fake.server.requests == []


def test_token_with_any_changed_character_is_rejected(fake: FakeIssuer, issuer: Issuer) -> None:
    token = fake.token(FIRST, **OF_TENANT)
    # The last character of each part can contain unused bits.
    for place in range(0, len(token) - 1, 7):
        if token[place] != "." and token[place + 1] != ".":
            other = "A" if token[place] != "A" else "B"
            assert_rejected(issuer, token[:place] + other + token[place + 1 :])


HEADERS = [
    "",
    "[]",
    "7",
    "null",
    '{"alg":',
    "[" * 5000,
    '{"alg":"RS256","kid":' + "9" * 5000 + "}",
    '{"alg":"RS256","kid":{"a":1}}',
    '{"alg":"RS256","kid":"first","crit":"b64","b64":false}',
    '{"alg":"RS256","kid":"first","b64":false,"crit":["b64"]}',
    '{"alg":"RS256","alg":"none"}',
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header[:20])
def test_token_with_a_malformed_header_is_rejected(fake: FakeIssuer, issuer: Issuer, header: str) -> None:
    assert_rejected(issuer, sign(FIRST, by_hand(header, fake.claims(**OF_TENANT))))


@pytest.mark.parametrize(
    "claims", ["", "[]", "7", "null", "[" * 5000, '{"exp":NaN,"iat":Infinity}', '{"exp":' + "9" * 5000 + "}"]
)
def test_token_with_malformed_claims_is_rejected(issuer: Issuer, claims: str) -> None:
    assert_rejected(issuer, sign(FIRST, by_hand({"alg": "RS256", "kid": "first"}, claims)))


@given(st.text(max_size=50), st.text(max_size=50), st.text(max_size=50))
def test_any_three_part_text_is_rejected_as_a_token(first: str, second: str, third: str) -> None:
    assert_rejected(Issuer(Settings("https://127.0.0.1:9", AUDIENCE)), f"{first}.{second}.{third}")


# ------------------------------------------------------------------ the issuer's keys


def test_issuer_keys_are_cached_for_ten_minutes(fake: FakeIssuer, issuer: Issuer, clock: Clock) -> None:
    old = fake.token(FIRST, **OF_TENANT)
    for _ in range(3):
        issuer.read(old)
    fake.keys = [SECOND.jwk()]
    clock.at += 599
    issuer.read(old)
    assert fake.fetches == 1
    clock.at += 2
    assert_rejected(issuer, old)
    assert issuer.read(fake.token(SECOND, **OF_TENANT)).tenant_id == TENANT
    assert fake.fetches == 2


def test_new_key_is_fetched_at_most_once_a_minute(fake: FakeIssuer, issuer: Issuer, clock: Clock) -> None:
    issuer.read(fake.token(FIRST, **OF_TENANT))
    fake.keys.append(SECOND.jwk())
    new = fake.token(SECOND, **OF_TENANT)
    assert_rejected(issuer, new)
    clock.at += 61
    assert issuer.read(new).tenant_id == TENANT
    for name in ("a", "b", "c"):
        assert_rejected(issuer, fake.token(make_key("third"), headers={"kid": name}, **OF_TENANT))
    assert fake.fetches == 2


def test_cached_keys_stay_valid_while_the_issuer_is_down(fake: FakeIssuer, issuer: Issuer, clock: Clock) -> None:
    token = fake.token(FIRST, **OF_TENANT)
    issuer.read(token)
    fake.down = True
    for _ in range(5):
        clock.at += 700
        assert issuer.read(token).tenant_id == TENANT
        assert_rejected(issuer, fake.token(SECOND, **OF_TENANT))
    requests = len(fake.server.requests)
    fake.down = False
    fake.keys = [SECOND.jwk()]
    clock.at += 61
    assert_rejected(issuer, token)
    assert len(fake.server.requests) == requests + 2


def test_token_is_unavailable_until_keys_can_be_fetched(fake: FakeIssuer, issuer: Issuer, clock: Clock) -> None:
    token = fake.token(FIRST, **OF_TENANT)
    fake.down = True
    for _ in range(10):
        with pytest.raises(UnavailableError):
            issuer.read(token)
    assert len(fake.server.requests) == 1
    fake.down = False
    clock.at += 6
    assert issuer.read(token).tenant_id == TENANT


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://another.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": 7},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://10.0.0.1/keys"},
        {"jwks_uri": "http://169.254.169.254/latest"},
        {"jwks_uri": "http://user:password@127.0.0.1/keys"},
    ],
    ids=str,
)
def test_discovery_document_of_another_issuer_is_rejected(
    fake: FakeIssuer, issuer: Issuer, document: dict[str, Any]
) -> None:
    fake.document = document
    with pytest.raises(UnavailableError):
        issuer.read(fake.token(FIRST, **OF_TENANT))
    assert fake.fetches == 0


def test_issuer_at_a_private_address_gets_no_request(fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUTBOUND_LOOPBACK")
    with pytest.raises(UnavailableError):
        Issuer(Settings(fake.url.replace("http:", "https:"), AUDIENCE)).read(fake.token(FIRST, **OF_TENANT))
    assert fake.server.requests == []


# ------------------------------------------------------------------ the stack's settings


@pytest.mark.parametrize(("url", "audience"), [("", AUDIENCE), ("https://id.example.com", ""), ("", "")])
def test_stack_without_issuer_or_audience_rejects_every_token(
    fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch, url: str, audience: str
) -> None:
    monkeypatch.setenv("OIDC_ISSUER", url)
    monkeypatch.setenv("OIDC_AUDIENCE", audience)
    with pytest.raises(UnauthorizedError, match=REFUSED):
        oidc.identify(fake.token(FIRST, **OF_TENANT))

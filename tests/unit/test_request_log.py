"""Log of webhook requests: masking, size and rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.store.integrations.request_log import BURST, Buckets, mask

SECRET = "5f4dcc3b5aa765d61d8327deb882cf99"


@pytest.mark.parametrize(
    "body",
    [
        f"cmd=event&planfix_token={SECRET}&phone=1",
        f"planfix_token={SECRET}",
        f"a=b&PLANFIX_TOKEN={SECRET}",
        f"a=b&api_key={SECRET}&c=d",
        f"a=b&apiKey={SECRET}",
        f"signature={SECRET}",
        f"data[secret]={SECRET}",
        f"data%5Bsecret%5D={SECRET}",
        f"vpbx_api_key={SECRET}&sign={SECRET}&json=1",
        f'{{"token": "{SECRET}", "a": 1}}',
        f'{{"a": {{"client_secret":"x\\"{SECRET}"}}}}',
        f'{{"password": "{SECRET}',
        f'{{"auth_token": {SECRET}}}',
        f'--x\r\nContent-Disposition: form-data; name="planfix_token"\r\n\r\n{SECRET}\r\n--x--',
        f"<a><token>{SECRET}</token></a>",
    ],
)
def test_secret_is_masked_by_its_name_in_every_format(body: str) -> None:
    text, truncated = mask(body.encode())
    assert SECRET not in text
    assert "***" in text
    assert not truncated


def test_rest_of_the_body_stays_readable() -> None:
    text, _ = mask(b"cmd=event&planfix_token=abc&phone=79101234567&ext=101")
    assert text == "cmd=event&planfix_token=***&phone=79101234567&ext=101"


def test_secret_at_the_size_limit_is_masked() -> None:
    body = b"a=" + b"x" * 16358 + b"&planfix_token=" + SECRET.encode()
    text, truncated = mask(body)
    assert SECRET[:4] not in text
    assert truncated or text.endswith("***")


@given(st.binary(max_size=24000))
def test_any_body_is_logged_as_at_most_16_kb(body: bytes) -> None:
    text, truncated = mask(body)
    assert len(text.encode()) <= 16384
    assert truncated == (len(body.decode("utf-8", "replace").encode()) > 16384) or "***" in text


@pytest.mark.parametrize("piece", [b"token", b"&token", b'"token":', b'name="token', b"<token", b"%", b"\\", b"\xff"])
def test_huge_body_is_truncated_before_masking(piece: bytes) -> None:
    text, truncated = mask(piece * (6_000_000 // len(piece)))
    assert truncated
    assert len(text.encode()) <= 16384


def test_integration_logs_ten_at_once_then_one_a_second() -> None:
    buckets = Buckets()
    who, other = ("t", "i"), ("t", "other")
    assert [buckets.take(who, 0.0) for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert buckets.take(other, 0.0)
    assert buckets.take(who, 1.0)
    assert not buckets.take(who, 1.5)
    assert [buckets.take(who, 100.0) for _ in range(BURST + 1)] == [True] * BURST + [False]

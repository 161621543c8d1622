"""The former names of `hangtag.providers.rest`. Temporary."""

from collections.abc import Callable, Mapping
from typing import Any

from hangtag.errors import BadInputError
from hangtag.providers import rest
from hangtag.providers.base import Account, PbxClient, Response
from hangtag.providers.rest import Refusal, basic
from hangtag.providers.rest import error_of as in_its_words

__all__ = ["Api", "Refusal", "basic", "in_its_words"]


class Api(rest.Api):
    """`rest.Api` with the former names of its methods."""

    def send(
        self,
        account: Account,
        client: PbxClient,
        method: str,
        path: str,
        *,
        asked: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Response:
        """See `rest.Api.send`."""
        return super().send(account, client, method, path, content=asked, **options)

    def success(self, answer: Response, why: Callable[[Mapping[str, Any], int], Refusal]) -> Response:
        """See `rest.Api.raise_for_status`."""
        return self.raise_for_status(answer, why)

    def said(self, answer: Response, why: Callable[[Mapping[str, Any], int], Refusal]) -> Mapping[str, Any]:
        """See `rest.Api.json`."""
        return self.json(answer, why)

    def refused(self, refusal: Refusal, status: int) -> BadInputError:
        """See `rest.Api.rejection`."""
        return self.rejection(refusal, status)

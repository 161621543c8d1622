"""The names of the contacts and employees on a page of a report."""

from collections.abc import Iterable, Iterator, Mapping

from hangtag.store.db import batch
from hangtag.store.db.keys import key


def contacts(tenant_id: str, ids: Iterable[str | None]) -> Mapping[str, str]:
    """The names of those that there are, by their ids. Raises botocore's errors."""
    return dict(_named({key("T", tenant_id, "CONTACT", one): one for one in ids if one}, "CONTACT"))


def employees(tenant_id: str, ids: Iterable[str | None]) -> Mapping[str, str]:
    """The names of those that there are, by their ids. Raises botocore's errors."""
    places = {(key("T", tenant_id), key("EMPLOYEE", one)): one for one in ids if one}
    return {places[place]: item["name"]["S"] for place, item in batch.read_all(places).items()}


def _named(partitions: Mapping[str, str], sk: str) -> Iterator[tuple[str, str]]:
    found = batch.read_all((pk, sk) for pk in partitions)
    for (pk, _), item in found.items():
        yield partitions[pk], item["name"]["S"]

"""Names of the contacts and employees on a page of a report."""

from collections.abc import Iterable, Iterator, Mapping

from hangtag.store.db import batch
from hangtag.store.db.keys import key


def contacts(tenant_id: str, ids: Iterable[str | None]) -> Mapping[str, str]:
    """Return the names of the existing contacts, by id. Raises botocore's errors."""
    return dict(_names({key("T", tenant_id, "CONTACT", one): one for one in ids if one}, "CONTACT"))


def employees(tenant_id: str, ids: Iterable[str | None]) -> Mapping[str, str]:
    """Return the names of the existing employees, by id. Raises botocore's errors."""
    places = {(key("T", tenant_id), key("EMPLOYEE", one)): one for one in ids if one}
    return {places[place]: item["name"]["S"] for place, item in batch.read_all(places).items()}


def _names(partitions: Mapping[str, str], sk: str) -> Iterator[tuple[str, str]]:
    items = batch.read_all((pk, sk) for pk in partitions)
    for (pk, _), item in items.items():
        yield partitions[pk], item["name"]["S"]

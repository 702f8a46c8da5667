"""Whether a server answers, and with which models: for `doctor`, before anything is asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from robust_eval.errors import ModelError
from robust_eval.models.api.connection import Connection, server_address, usable_key
from robust_eval.models.api.faults import Rejected, Transient

SECONDS = 10.0
_NAMED = 5  # models that are listed by name


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of one request for the list of models; the key's value is in none of it."""

    state: Literal["ok", "no list", "refused", "unreachable", "wrong address"]
    detail: str


def probe(address: str, key: str | None, variable: str) -> Probe:
    """One request to the server at this address, as a run would make it; never raises."""
    try:
        where = server_address(address)
        connection = Connection(where, usable_key(key, variable), SECONDS, 1)
    except ModelError as error:
        return Probe("wrong address", str(error))
    try:
        names = asyncio.run(_models(connection))
    except Transient as fault:
        return Probe("unreachable", str(fault))
    except Rejected as refusal:
        state: Literal["refused", "no list"] = (
            "refused" if refusal.status in (401, 403) else "no list"
        )
        return Probe(state, f"{connection.host} says {refusal}")
    listed = ", ".join(name[:60] for name in names[:_NAMED]) + (", ..." if names[_NAMED:] else "")
    return Probe("ok", f"{connection.host} answers; models: {listed or 'none listed'}")


async def _models(connection: Connection) -> list[str]:
    async with connection:
        return await connection.models()

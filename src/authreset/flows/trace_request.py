"""Trace requests: gather all that is kept of them, for whoever asks why (no) mail arrived.

Reads only. What the facts mean in words is not said here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from authreset.rules.addresses import address_key, mailbox_key
from authreset.rules.keyrings import KeyRing
from authreset.rules.tenancy import path_ids
from authreset.store.api_tokens import ApiTokenRow, list_api_tokens
from authreset.store.database import Transaction
from authreset.store.entities import load_profiles
from authreset.store.letters import find_letters
from authreset.store.requests import find_request, list_requests_for_mailbox
from authreset.store.resets import Reset, find_resets
from authreset.store.users import User, find_all_by_email, find_users
from authreset.store.workers import WorkerSign, list_workers

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TracedRequest:
    """A request's row and what followed from it. `token` is None for a user's call or when gone."""

    request: Row
    token: ApiTokenRow | None
    letter: Row | None
    reset: Reset | None


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests, the newest first; the users who may be meant; every worker's last sign.

    `roots` has the entry names of the users' organisations by id.
    """

    requests: tuple[TracedRequest, ...]
    users: tuple[User, ...]
    roots: Mapping[int, str]
    workers: tuple[WorkerSign, ...]


async def trace_by_id(tx: Transaction, request_id: UUID) -> Trace | None:
    """Trace one request; None when it is unknown or was swept."""
    row = await find_request(tx, request_id)
    if row is None:
        return None
    users = await find_all_by_email(tx, address_key(row["email"])) if row["email"] else []
    if row["user_id"] is not None:
        users += (await find_users(tx, [row["user_id"]])).values()
    return await _complete(tx, [row], users)


async def trace_by_email(tx: Transaction, email: str, keyrings: Sequence[KeyRing]) -> Trace:
    """Trace the latest requests about a mailbox, of whatever key its digest was made with."""
    digests = [keyring.mailbox_digest(mailbox_key(email)) for keyring in keyrings]
    rows = await list_requests_for_mailbox(tx, digests, email)
    return await _complete(tx, rows, await find_all_by_email(tx, address_key(email)))


async def _complete(tx: Transaction, rows: Sequence[Row], users: Iterable[User]) -> Trace:
    letter_ids = {row["letter_id"] for row in rows if row["letter_id"] is not None}
    letters = await find_letters(tx, letter_ids) if letter_ids else {}
    reset_ids = {letter["reset_id"] for letter in letters.values() if letter["reset_id"]}
    resets = await find_resets(tx, reset_ids) if reset_ids else {}
    tokens = await _find_tokens(tx, rows)
    traced = []
    for row in rows:
        letter = letters.get(row["letter_id"])
        reset = resets.get(letter["reset_id"]) if letter else None
        traced.append(TracedRequest(row, tokens.get(row["token_id"]), letter, reset))
    found = tuple({user.id: user for user in users}.values())
    profiles = await load_profiles(tx, {user.root_id for user in found})
    roots = {root_id: profile.ref.entry for root_id, profile in profiles.items()}
    return Trace(tuple(traced), found, roots, tuple(await list_workers(tx)))


async def _find_tokens(tx: Transaction, rows: Sequence[Row]) -> dict[int, ApiTokenRow]:
    """Return the tokens by id: each stands at the node of its request or above it."""
    profiles = await load_profiles(tx, {row["entity_id"] for row in rows if row["token_id"]})
    nodes = {node for profile in profiles.values() for node in path_ids(profile.ref.path)}
    tokens = [token for node in nodes for token in await list_api_tokens(tx, node)]
    return {token.id: token for token in tokens}

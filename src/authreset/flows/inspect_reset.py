"""Look at a link: whose it is and what it asks for. Reads only, however often it is opened."""

from dataclasses import dataclass, field

from authreset.flows.judge_password import JudgePassword, Owner
from authreset.rules.clocks import Clock
from authreset.rules.keyrings import KeyRing
from authreset.rules.passwords import PasswordPolicy
from authreset.rules.tokens import TokenKind, digest_token, read_kind
from authreset.store.database import Database, Transaction
from authreset.store.entities import EntityProfile, load_profiles
from authreset.store.resets import Reset, find_reset_by_digest


@dataclass(frozen=True, slots=True)
class LinkOver:
    """The link is used, expired, voided or was never ours.

    `profile` is the node it was for, where that is known, so that its owner can ask there again.
    """

    profile: EntityProfile | None = None


@dataclass(frozen=True, slots=True)
class LiveReset:
    """A link that works."""

    account_address: str = field(repr=False)
    language: str
    policy: PasswordPolicy
    profile: EntityProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectReset:
    """Tells what a link leads to."""

    database: Database
    keyring: KeyRing
    judge: JudgePassword
    clock: Clock

    async def __call__(self, token: str) -> LiveReset | LinkOver:
        """Return what the link is for. Garbage is told without asking the database."""
        found = await self.load(token)
        if isinstance(found, LinkOver):
            return found
        user, profile = found[1].user, found[1].profile
        return LiveReset(user.email, user.language, self.judge.policy_at(profile), profile)

    async def load(self, token: str) -> tuple[Reset, Owner] | LinkOver:
        """Return a live reset and who it is for."""
        if read_kind(token, self.keyring) is not TokenKind.RESET:
            return LinkOver()
        async with self.database.read() as tx:
            reset = await find_reset_by_digest(tx, digest_token(token))
            if reset is None:
                return LinkOver()
            owner = None
            if reset.is_live(self.clock()):
                owner = await self.judge.load_owner(tx, reset.user_id, reset.entity_id)
            return (reset, owner) if owner else await _over(tx, reset)


async def _over(tx: Transaction, reset: Reset) -> LinkOver:
    return LinkOver((await load_profiles(tx, [reset.entity_id])).get(reset.entity_id))

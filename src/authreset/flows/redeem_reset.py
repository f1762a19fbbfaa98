"""Set a new password by a link. It works once, and only for a password that is fit.

No session is opened: whoever can read a mailbox for a minute should not be logged in by it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from authreset.flows.inspect_reset import InspectReset, LinkOver
from authreset.flows.judge_password import Fit, Owner, Weak, may_set_password
from authreset.flows.replace_password import NewPassword, replace_password
from authreset.store.database import Transaction
from authreset.store.entities import EntityProfile
from authreset.store.resets import Reset, claim_reset
from authreset.store.users import lock_users


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The password is set; every session of the user is over."""

    profile: EntityProfile


WAY: Final = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemReset:
    """Turns a live link and a fit password into the user's password."""

    inspect: InspectReset
    new_id: Callable[[], UUID]

    async def __call__(
        self, token: str, password: str, client_address: str
    ) -> Redeemed | Weak | LinkOver:
        """Judge first, so that a refused password burns nothing; then claim and set in one commit.

        Raises StoreUnavailable or HashingBusy; the link works on in both cases.
        """
        found = await self.inspect.load(token)
        if isinstance(found, LinkOver):
            return found
        reset, owner = found
        verdict = await self.inspect.judge(password, owner)
        if isinstance(verdict, Weak):
            return verdict
        return await self._claim(reset, owner, verdict, client_address)

    async def _claim(
        self, reset: Reset, owner: Owner, fit: Fit, client_address: str
    ) -> Redeemed | LinkOver:
        now = self.inspect.clock()
        new = NewPassword(
            password_hash=fit.password_hash,
            policy=self.inspect.judge.policy_at(owner.profile),
            entity_id=reset.entity_id,
            way=WAY,
            reset_id=reset.id,
            client_address=client_address,
            at=now,
        )
        async with self.inspect.database.begin(wakes_worker=True) as tx:
            if not await self._claim_in(tx, reset, new):
                return LinkOver(owner.profile)
        return Redeemed(owner.profile)

    async def _claim_in(self, tx: Transaction, reset: Reset, new: NewPassword) -> bool:
        # The user before the reset: the order in which everyone else takes these two rows as well.
        user = (await lock_users(tx, [reset.user_id])).get(reset.user_id)
        if user is None or not may_set_password(user):
            return False
        if await claim_reset(tx, reset.token_digest, new.at) is None:
            return False
        await replace_password(tx, user, new, self.new_id)
        return True

"""Set a new password from within a session. It ends that session, all others and any open link."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from authreset.flows.authenticate import UNAUTHORIZED, Unauthorized, UserCaller
from authreset.flows.judge_password import JudgePassword, Weak, may_set_password
from authreset.flows.replace_password import NewPassword, replace_password
from authreset.rules.clocks import Clock
from authreset.store.database import Database, Transaction
from authreset.store.sessions import find_session
from authreset.store.users import lock_users


class PasswordChanged:
    """The password is set; every session of the user is over."""


PASSWORD_CHANGED: Final = PasswordChanged()
WAY: Final = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePassword:
    """Turns a live session and a fit password into the user's password."""

    database: Database
    judge: JudgePassword
    clock: Clock
    new_id: Callable[[], UUID]

    async def __call__(
        self, caller: UserCaller, password: str, client_address: str
    ) -> PasswordChanged | Weak | Unauthorized:
        """Judge, then set in one commit. Raises StoreUnavailable or HashingBusy."""
        async with self.database.read() as tx:
            owner = await self.judge.load_owner(tx, caller.user_id, caller.entity.id)
        if owner is None:
            return UNAUTHORIZED
        verdict = await self.judge(password, owner)
        if isinstance(verdict, Weak):
            return verdict
        new = NewPassword(
            password_hash=verdict.password_hash,
            policy=self.judge.policy_at(owner.profile),
            entity_id=caller.entity.id,
            way=WAY,
            reset_id=None,
            client_address=client_address,
            at=self.clock(),
        )
        return await self._set(caller, new)

    async def _set(self, caller: UserCaller, new: NewPassword) -> PasswordChanged | Unauthorized:
        async with self.database.begin(wakes_worker=True) as tx:
            user = (await lock_users(tx, [caller.user_id])).get(caller.user_id)
            if user is None or not may_set_password(user) or not await _is_open(tx, caller):
                return UNAUTHORIZED
            await replace_password(tx, user, new, self.new_id)
        return PASSWORD_CHANGED


async def _is_open(tx: Transaction, caller: UserCaller) -> bool:
    """Tell whether the session outlived the hashing: a reset meanwhile has ended it."""
    return await find_session(tx, caller.session_digest) is not None

"""Judge a new password for one user, and hash it when it may be used. Stores nothing.

What a good password is lives in `rules.passwords`; what follows from a new one in
`replace_password`.
"""

from dataclasses import dataclass, field

from authreset.hashing import PasswordHasher
from authreset.rules.lockout import UserStatus
from authreset.rules.passwords import (
    Estimator,
    PasswordContext,
    PasswordPolicy,
    Weakness,
    find_weaknesses,
    normalise_password,
    reused_password,
)
from authreset.store.database import Transaction
from authreset.store.entities import EntityProfile, load_profiles
from authreset.store.users import User, find_users, list_remembered_hashes

SERVICE_NAME = "authreset"


@dataclass(frozen=True, slots=True)
class Weak:
    """The password was refused, and nothing was changed."""

    weaknesses: tuple[Weakness, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """The password may be used; this is its hash."""

    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose password it will be, at which node it is set, and which ones may not come back."""

    user: User
    profile: EntityProfile
    remembered_hashes: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePassword:
    """`minimum_length` holds where no node up the tree sets another."""

    hasher: PasswordHasher
    estimate: Estimator
    minimum_length: int

    def policy_at(self, profile: EntityProfile) -> PasswordPolicy:
        """Return what is asked of passwords at a node."""
        return PasswordPolicy(profile.settings.password_minimum or self.minimum_length)

    async def load_owner(self, tx: Transaction, user_id: int, entity_id: int) -> Owner | None:
        """Return who sets a password; None when the user is inactive or deleted."""
        user = (await find_users(tx, [user_id])).get(user_id)
        if user is None or not may_set_password(user):
            return None
        profile = (await load_profiles(tx, [entity_id]))[entity_id]
        remembered = self.policy_at(profile).remembered
        return Owner(user, profile, tuple(await list_remembered_hashes(tx, user, remembered)))

    async def __call__(self, password: str, owner: Owner) -> Fit | Weak:
        """Judge, and hash what is fit. Raises HashingBusy."""
        policy = self.policy_at(owner.profile)
        if weaknesses := find_weaknesses(password, policy, _context(owner), self.estimate):
            return Weak(weaknesses)
        text = normalise_password(password)
        if await self.hasher.matches_any(owner.remembered_hashes, text):
            return Weak((reused_password(policy),))
        return Fit(await self.hasher.hash(text))


def may_set_password(user: User) -> bool:
    """Tell whether a user may get a new password: it ends a lock, but revives nobody."""
    return user.status in (UserStatus.ACTIVE, UserStatus.LOCKED)


def _context(owner: Owner) -> PasswordContext:
    user, profile = owner.user, owner.profile
    return PasswordContext(
        (user.email, user.name, profile.name, profile.brand_name, profile.ref.entry, SERVICE_NAME)
    )

"""Fill a small tenant tree to play with. Filling it twice changes nothing.

The demo's API tokens derive from the secret key, so that they are the same at each start while
only their digests are stored. Its passwords are random and told to nobody: the way in is a reset.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from authreset.flows.add_organization import NewNode, add_organization
from authreset.flows.add_paypoint import add_paypoint
from authreset.flows.add_user import NewUser, store_new_user
from authreset.rules.addresses import address_key
from authreset.rules.keyrings import KeyRing
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import EntityType, TokenMode
from authreset.rules.tenancy import EntityRef
from authreset.rules.tokens import TokenKind, derive_demo_token, digest_token
from authreset.store.api_tokens import renew_api_token
from authreset.store.database import Database, Transaction
from authreset.store.entities import find_entity
from authreset.store.users import find_all_by_email

ROOT = "pilgrim-planner"
SHOP = "8cfec329267"
_TOKEN_LIFE = timedelta(days=365)

_NODES = (
    (EntityType.ORGANIZATION, NewNode(ROOT, "Pilgrim")),
    (EntityType.ORGANIZATION, NewNode("pilgrim-north", "Pilgrim North", ROOT)),
    (EntityType.PAYPOINT, NewNode(SHOP, "Shop", ROOT)),
    (EntityType.PAYPOINT, NewNode("47ae3de37", "Harbour Kiosk", "pilgrim-north")),
)
_USERS = (
    (NewUser("ada@example.com", ROOT, "Ada Byron", "Administrator"), True),
    (NewUser("grace@example.com", SHOP, "Grace Hopper"), True),
    (NewUser("noor@example.com", "pilgrim-north", "Noor Khan"), False),
    (NewUser("alan@example.com", SHOP, "Alan Kay", status=UserStatus.INACTIVE), True),
    (NewUser("edsger@example.com", ROOT, "Edsger Vos", status=UserStatus.LOCKED), True),
    (NewUser("barbara@example.com", ROOT, "Barbara Lund", status=UserStatus.DELETED), True),
)


@dataclass(frozen=True, slots=True)
class DemoUser:
    """One of the demo's users."""

    email: str = field(repr=False)
    name: str
    entry: str
    status: UserStatus


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo holds. The tokens are shown at each start."""

    entry: str
    entry_type: EntityType
    users: tuple[DemoUser, ...]
    organization_token: str = field(repr=False)
    application_token: str = field(repr=False)


async def fill_demo(
    database: Database,
    keyring: KeyRing,
    *,
    make_hash: Callable[[], Awaitable[str]],
    actor: str,
    now: datetime,
) -> Demo:
    """Add what is missing, renew the tokens, and tell what there is.

    `make_hash` makes the hash of a password that nobody knows; it is asked outside a transaction.
    """
    hashed = await make_hash()
    async with database.begin() as tx:
        nodes = {new.entry: await _keep_node(tx, kind, new, actor, now) for kind, new in _NODES}
        for new, has_password in _USERS:
            password_hash = hashed if has_password else None
            await _keep_user(tx, new, nodes[new.entry], password_hash, actor, now)
        kinds = (TokenKind.ORGANIZATION, TokenKind.APPLICATION)
        organization, application = [
            await _keep_token(tx, kind, keyring, nodes[ROOT], now) for kind in kinds
        ]
    users = tuple(DemoUser(new.email, new.name, new.entry, new.status) for new, _ in _USERS)
    return Demo(ROOT, EntityType.ORGANIZATION, users, organization, application)


async def _keep_node(
    tx: Transaction, kind: EntityType, new: NewNode, actor: str, now: datetime
) -> EntityRef:
    found = await find_entity(tx, new.entry)
    if found is None:
        add = add_organization if kind is EntityType.ORGANIZATION else add_paypoint
        added = await add(tx, new, actor=actor, now=now)
        if not isinstance(added, EntityRef):
            raise RuntimeError(f"the demo's node {new.entry} was refused: {added}")
        return added
    return found


async def _keep_user(
    tx: Transaction,
    new: NewUser,
    entity: EntityRef,
    password_hash: str | None,
    actor: str,
    now: datetime,
) -> None:
    known = await find_all_by_email(tx, address_key(new.email))
    if all(user.root_id != entity.root_id for user in known):
        await store_new_user(tx, new, entity, password_hash, actor=actor, now=now)


async def _keep_token(
    tx: Transaction, kind: TokenKind, keyring: KeyRing, entity: EntityRef, now: datetime
) -> str:
    token = derive_demo_token(kind, ROOT, keyring.current)
    await renew_api_token(
        tx,
        digest=digest_token(token),
        kind=kind,
        mode=TokenMode.PRIVATE,
        entity_id=entity.id,
        now=now,
        expires_at=now + _TOKEN_LIFE,
    )
    return token

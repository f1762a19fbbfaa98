"""Keys that live outside the database, and what is derived from them.

Reading and making key files is not done here (`authreset.keys`).
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

KEY_ID_BYTES = 2
SHORTEST_KEY = 32


class KeyTooShort(ValueError):
    """A key has fewer bytes than an HMAC-SHA256 key should have (RFC 2104, section 3)."""

    def __init__(self) -> None:
        super().__init__(f"a secret key needs at least {SHORTEST_KEY} bytes of entropy")


@dataclass(frozen=True)
class SecretKey:
    """One master key. Every use takes a key of its own, derived by purpose (as HKDF-Expand does).

    `id` names the key inside tokens and tells nothing about it.
    """

    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.material) < SHORTEST_KEY:
            raise KeyTooShort

    @cached_property
    def id(self) -> bytes:
        """Two bytes that name this key."""
        return hashlib.sha256(b"authreset key id\0" + self.material).digest()[:KEY_ID_BYTES]

    @cached_property
    def check_key(self) -> bytes:
        """The key of check values in tokens."""
        return self._derive(b"token check")

    @cached_property
    def reset_key(self) -> bytes:
        """The key from which the tokens of resets are derived."""
        return self._derive(b"reset token")

    @cached_property
    def mailbox_key(self) -> bytes:
        """The key of the digests under which a mailbox is counted."""
        return self._derive(b"mailbox digest")

    @cached_property
    def demo_key(self) -> bytes:
        """The key from which the demo's API tokens are derived, the same at each start."""
        return self._derive(b"demo token")

    def _derive(self, purpose: bytes) -> bytes:
        return hmac.digest(self.material, b"authreset\0" + purpose, "sha256")


class KeyRing:
    """The current key, which makes new things, and older ones, which still recognise theirs.

    Raises ValueError for no key at all and for two keys of one id.
    """

    def __init__(self, keys: Iterable[SecretKey]) -> None:
        self._keys = tuple(keys)
        if not self._keys:
            raise ValueError("at least one secret key is needed")
        self.current = self._keys[0]
        self._by_id = {key.id: key for key in self._keys}
        if len(self._by_id) != len(self._keys):
            raise ValueError("two of the secret keys have the same key id: replace one of them")

    def find(self, key_id: bytes) -> SecretKey | None:
        """Return the key of that id, or None when it was retired."""
        return self._by_id.get(key_id)

    def mailbox_digest(self, mailbox: str) -> bytes:
        """Return the keyed digest of a mailbox, by which it is counted whether it exists or not."""
        return hmac.digest(self.current.mailbox_key, mailbox.encode("utf-8", "replace"), "sha256")

    def __len__(self) -> int:
        return len(self._keys)

"""The secret keys one by one, as they are written; nothing is made when there is none."""

from dataclasses import replace

from authreset.clock import random_bytes
from authreset.config import ConfigError, Settings
from authreset.keys import key_file, load_keyring
from authreset.rules.keyrings import KeyRing


def read_key_texts(settings: Settings) -> list[str] | None:
    """Return the keys as they are written; None when the first start has yet to make one.

    Raises ConfigError when they cannot be read.
    """
    if settings.secret_key:
        return [text.strip() for text in settings.secret_key.split(",")]
    path = key_file(settings)
    if not path.exists() and not settings.secret_key_file:
        return None
    try:
        texts = path.read_text("ascii").split()
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or "it is no text"
        raise ConfigError(f"{path} cannot be read: {reason}") from None
    if not texts:
        raise ConfigError(f"{path} holds no key: restore it, since no older token works without")
    return texts


def load_each(settings: Settings, texts: list[str]) -> list[KeyRing]:
    """Return a key ring of each key alone. Raises ConfigError also for keys that clash."""
    load_keyring(replace(settings, secret_key=",".join(texts)), random_bytes)
    return [load_keyring(replace(settings, secret_key=text), random_bytes) for text in texts]

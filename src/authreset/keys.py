"""Reading the secret keys, and making the first one. `rules.keyrings` derives from them."""

import binascii
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

from authreset.config import ConfigError, Settings
from authreset.rules.clocks import RandomBytes
from authreset.rules.keyrings import KeyRing, KeyTooShort, SecretKey

EMBEDDED_NAME = "authreset.db"


def load_keyring(settings: Settings, random_bytes: RandomBytes) -> KeyRing:
    """Return the keys: from the setting, else the key file, which is made when it is absent."""
    try:
        return KeyRing(_parse_key(text) for text in _key_texts(settings, random_bytes))
    except ConfigError:
        raise
    except (KeyTooShort, ValueError, binascii.Error) as error:
        raise ConfigError(f"AUTHRESET_SECRET_KEY: {error}; make one with: {_RECIPE}") from None


def key_file(settings: Settings) -> Path:
    """Return where the key file is or would be."""
    return Path(settings.secret_key_file or settings.data_dir / "secret.key")


_RECIPE = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"


def _key_texts(settings: Settings, random_bytes: RandomBytes) -> list[str]:
    if settings.secret_key:
        return [text.strip() for text in settings.secret_key.split(",")]
    path = key_file(settings)
    if not path.exists():
        if settings.secret_key_file:
            raise ConfigError(f"AUTHRESET_SECRET_KEY_FILE: {path} does not exist")
        _require_fresh_start(settings, path)
        _make_key_file(path, random_bytes)
    return path.read_text("ascii").split()


def _require_fresh_start(settings: Settings, path: Path) -> None:
    """A new key beside an old database would silently end every token and link in it."""
    if not settings.database_url and (settings.data_dir / EMBEDDED_NAME).exists():
        raise ConfigError(
            f"AUTHRESET_SECRET_KEY: {path} is missing beside the database that was used with it; "
            "restore it from a backup, or make a new one with `authreset keys new`, which ends "
            "every token and link"
        )


def _make_key_file(path: Path, random_bytes: RandomBytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(urlsafe_b64encode(random_bytes(32)).decode().rstrip("=") + "\n", "ascii")
    try:
        # A link fails when another process was first; a rename would replace that one's key.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _parse_key(text: str) -> SecretKey:
    padded = text + "=" * (-len(text) % 4)
    return SecretKey(urlsafe_b64decode(padded.encode("ascii")))

"""Keys are made on a first start, and never behind an operator's back."""

from pathlib import Path

import pytest

from authreset.config import ConfigError, load_settings
from authreset.keys import key_file, load_keyring
from tests.support.databases import SeededBytes


def test_first_start_makes_a_key_that_only_its_owner_reads_and_the_next_finds_it(tmp_path: Path):
    settings = load_settings({"AUTHRESET_DATA_DIR": str(tmp_path / "data")})
    first = load_keyring(settings, SeededBytes(1))
    again = load_keyring(settings, SeededBytes(2))
    assert first.current.id == again.current.id
    assert key_file(settings).stat().st_mode & 0o777 == 0o600


def test_lost_key_beside_a_used_database_is_told_and_not_replaced(tmp_path: Path):
    settings = load_settings({"AUTHRESET_DATA_DIR": str(tmp_path)})
    load_keyring(settings, SeededBytes(1))
    (tmp_path / "authreset.db").touch()
    key_file(settings).unlink()
    with pytest.raises(ConfigError, match="restore it from a backup"):
        load_keyring(settings, SeededBytes(2))
    assert not key_file(settings).exists()

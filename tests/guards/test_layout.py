"""How files are named, how long they are, and what stands where."""

import ast
import re
from pathlib import Path

import pytest

from tests.guards.sources import SOURCES, modules, name_of, strings

LONGEST = 250
DRAWERS = {"utils", "util", "helpers", "helper", "manager", "managers", "service", "services"}
DRAWERS |= {"common", "misc", "base", "core"}

_SQL = re.compile(
    r"\b(SELECT\s+\S|INSERT\s+INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b|"
    r"(CREATE|ALTER|DROP)\s+(TABLE|INDEX)\b|BEGIN\s+IMMEDIATE|PRAGMA\s)"
)


def test_there_is_something_to_guard():
    assert len(modules()) > 80


def test_no_module_is_a_drawer_for_anything():
    parts = {
        path: {part.removesuffix(".py") for part in path.relative_to(SOURCES).parts}
        for path in modules()
    }
    assert [name_of(path) for path, names in parts.items() if names & DRAWERS] == []


def test_no_file_is_too_long_to_read_at_once():
    long = [
        f"{name_of(path)}: {count}"
        for path in modules()
        if (count := len(path.read_text("utf-8").splitlines())) > LONGEST
        and not is_list_of_columns(path)
    ]
    assert long == []


def is_list_of_columns(path: Path) -> bool:
    """Tell whether a module declares tables and does nothing: it is looked up, not read."""
    store = SOURCES / "store"
    return path == store / "tables.py" or path.parent == store / "migrations" / "versions"


def test_every_module_says_what_lives_in_it():
    silent = [
        name_of(path)
        for path in modules()
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


@pytest.mark.parametrize(
    "text", ["SELECT 1", "INSERT INTO users", "DELETE FROM users", "UPDATE users SET x = 1"]
)
def test_search_for_sql_finds_some(text):
    assert _SQL.search(text)


def test_all_sql_stands_in_the_store():
    outside = [
        f"{name_of(path)}:{line}: {text[:60]}"
        for path in modules()
        if "store" not in path.relative_to(SOURCES).parts
        for line, text in strings(path)
        if _SQL.search(text)
    ]
    assert outside == []


TEMPLATES = sorted(SOURCES.rglob("templates/*.html"))
_INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)|\son[a-z]+\s*=|javascript:|<style|\sstyle\s*=", re.IGNORECASE
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_a_script_in_it(path):
    """The pages' policy lets none run. Mails have no scripts at all, and their style inline."""
    text = path.read_text("utf-8")
    if "mail" in path.relative_to(SOURCES).parts:
        assert "<script" not in text.lower()
        assert not re.search(r"\son[a-z]+\s*=|javascript:", text, re.IGNORECASE)
    else:
        assert _INLINE.findall(text) == []


def test_there_are_templates():
    assert len(TEMPLATES) > 8


def test_every_template_escapes_what_it_shows():
    unescaped = [
        f"{name_of(path)}: {found}"
        for path in TEMPLATES
        for found in re.findall(r"\{\{[^}]*\|\s*safe[^}]*\}\}", path.read_text("utf-8"))
    ]
    assert unescaped == []

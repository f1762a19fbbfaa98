"""What the documents say exists, and what exists is in the documents."""

import importlib
import pkgutil
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import bench.__main__
import bench.scaling.__main__
import drill.__main__
import pytest
import silence.__main__
import typer.main
from prometheus_client import REGISTRY

import authreset
from authreset.cli.app import app
from authreset.cli.survey import survey_settings
from authreset.config import CONFIG_VARIABLE, PREFIX, Settings, load_settings
from authreset.mail.smtp import Encryption, parse_smtp_url
from authreset.store.database import database_url
from authreset.store.roles import RIGHTS
from authreset.web import health

ROOT = Path(__file__).parents[2]
NOT_OURS = {".venv", ".git", "build", "node_modules", "target"}
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not NOT_OURS & set(path.relative_to(ROOT).parts)
    and not path.relative_to(ROOT).parts[0].startswith(".")
)
OPERATING = (ROOT / "docs" / "operating.md").read_text("utf-8")
PROGRAM: Any = typer.main.get_command(app)

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`(authreset [^<`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|\bsrc=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
SHELL_WORDS = {"|", "<", ">", ">>", "&", "&&", "||", ";", "\\"}
PROGRAM_WORDS = {"authreset", ".venv/bin/authreset", "/opt/authreset/bin/authreset"}
OUTSIDE = re.compile(r"(?<![\w.])/(?:work|root|home)/|\.library\b|\.\./\.\./\.\./")

each_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)


def rows_under(heading: str) -> dict[str, list[str]]:
    """Return the rows of the tables under a heading of operating.md that begin with a name."""
    section = OPERATING.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip(): [cell.strip() for cell in row] for row in rows}


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def leaves(command: Any, *path: str) -> Iterator[str]:
    for name, each in getattr(command, "commands", {}).items():
        yield from leaves(each, *path, name)
    if not hasattr(command, "commands"):
        yield " ".join(("authreset", *path))


def exposed_metrics() -> set[str]:
    """Return the names of our metrics as Prometheus reads them."""
    for module in pkgutil.walk_packages(authreset.__path__, "authreset."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)  # a counter exists once its module is imported
    known = {metric.name for metric in REGISTRY.collect()}
    counted = {f"{name}_total" for name in known if name.startswith("authreset_")}
    return counted | {f"authreset_{name}" for name in health._HELP}


def test_each_setting_is_told_with_its_default() -> None:
    defaults = {one.variable: one.value for one in survey_settings({}).settings}
    told = {names_in(name)[0]: row for name, row in rows_under("## Settings").items()}
    assert set(defaults) == {f"{PREFIX}{one.name.upper()}" for one in fields(Settings)}
    assert set(told) == set(defaults)
    for variable, default in defaults.items():
        assert told[variable][1] == (f"`{default}`" if default else "none"), variable
        assert told[variable][2], variable


def test_each_verb_is_told_and_no_other() -> None:
    told = {verb for cell in rows_under("## Commands") for verb in names_in(cell)}
    assert told == set(leaves(PROGRAM))


def test_each_metric_is_told_and_no_other() -> None:
    told = {name for cell in rows_under("## Metrics") for name in names_in(cell)}
    assert told == exposed_metrics()


@each_document
def test_no_metric_is_made_up(path: Path) -> None:
    named = set(re.findall(r"\bauthreset_[a-z_]*[a-z]\b", path.read_text("utf-8")))
    assert named <= exposed_metrics() | set(RIGHTS)


@each_document
def test_links_lead_somewhere(path: Path) -> None:
    for link in (a or b for a, b in LINK.findall(without_code(path.read_text("utf-8")))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


@each_document
def test_nothing_outside_of_the_repository_is_named(path: Path) -> None:
    assert OUTSIDE.findall(path.read_text("utf-8")) == []


@each_document
def test_examples_of_settings_can_be_read(path: Path, tmp_path: Path) -> None:
    blocks = [
        block for _, language, block in FENCE.findall(path.read_text("utf-8")) if language == "toml"
    ]
    for block in blocks:
        (tmp_path / "authreset.toml").write_text(block)
        assert load_settings({CONFIG_VARIABLE: str(tmp_path / "authreset.toml")})


def test_the_settings_in_deploy_can_be_used() -> None:
    settings = load_settings({CONFIG_VARIABLE: str(ROOT / "deploy" / "authreset.toml")})
    assert parse_smtp_url(settings.smtp_url).encryption is Encryption.REQUIRED
    assert database_url(settings.database_url, settings.data_dir).password == "password"
    assert settings.public_url.startswith("https://")
    assert settings.trusted_proxies


@each_document
def test_commands_can_be_typed(path: Path) -> None:
    text = path.read_text("utf-8")
    for words in commands(text):
        parse(words)
    for span in SPAN.findall(FENCE.sub("", text)):
        if "…" not in span and "..." not in span:
            parse([*shlex.split(span)[1:], "--help"])


def commands(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of the program in a block of commands."""
    for _, language, block in FENCE.findall(text):
        if language in ("", "sh", "bash", "console"):
            for line in block.replace("\\\n", " ").splitlines():
                yield from called(line)


def called(line: str) -> Iterator[list[str]]:
    try:
        words = shlex.split(line.removeprefix("$ "), comments=True)
    except ValueError:
        return  # prose with an apostrophe, in a picture made of text
    while words and ("=" in words[0] or words[0] in ("sudo", "env")):
        words = words[1:]
    if words and words[0] in PROGRAM_WORDS and len(words) > 1:
        ends = [at for at, word in enumerate(words) if word in SHELL_WORDS]
        yield words[1 : min(ends, default=None)]


def parse(words: list[str]) -> None:
    """Parse a command to its end without running it. Raises what a wrong one raises."""
    command, name, context = PROGRAM, "authreset", None
    try:
        while True:
            context = command.make_context(name, list(words), parent=context)
            if not hasattr(command, "commands"):
                return
            name, command, words = command.resolve_command(
                context, [*context._protected_args, *context.args]
            )
    except typer.Exit:
        pass  # --help


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to headings."""
    plain = (re.sub(r"[^\w\- ]", "", one.lower()) for one in HEADING.findall(FENCE.sub("", text)))
    return {one.strip().replace(" ", "-") for one in plain}


@pytest.mark.parametrize(
    ("page", "blocks"),
    [
        ("performance", [bench.__main__.BLOCK]),
        ("scaling", bench.scaling.__main__.BLOCKS.values()),
        ("reliability", drill.__main__.BLOCKS.values()),
        ("silence", [silence.__main__.BLOCK]),
    ],
)
def test_page_has_a_place_for_each_table_that_a_program_writes(page: str, blocks: Any):
    for block in blocks:
        block.check(ROOT / "docs" / f"{page}.md")

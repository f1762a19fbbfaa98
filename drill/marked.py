"""Replacing a named block between two marks of a Markdown file. Its content is not known here."""

from pathlib import Path


class MissingMarksError(ValueError):
    """A file has not exactly one pair of the block's marks, in their order."""


def marks(name: str) -> tuple[str, str]:
    """Return the lines between which a block stands."""
    return f"<!-- {name}: begin, written by `python -m drill` -->", f"<!-- {name}: end -->"


def replace_block(text: str, name: str, block: str) -> str:
    """Return the text with what stands between the marks replaced; raise MissingMarksError."""
    begin, end = marks(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise MissingMarksError(f"needs one line {begin} and one line {end} after it")
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n\n{block.strip()}\n\n{end}{rest.partition(end)[2]}"


def check_marks(path: Path, name: str) -> None:
    """Raise MissingMarksError or OSError if `write_block` would: before a long run, not after."""
    replace_block(path.read_text("utf-8"), name, "")


def write_block(path: Path, name: str, block: str) -> None:
    """Replace a block of a file."""
    path.write_text(replace_block(path.read_text("utf-8"), name, block), "utf-8")

"""Replacing one part's block between two marks of a Markdown file; its content is not known."""

from pathlib import Path


class MissingMarksError(ValueError):
    """A file has not exactly one pair of a part's marks, in their order."""


def marks(part: str) -> tuple[str, str]:
    """Return the lines between which a part's block stands."""
    begin = f"<!-- scaling {part}: begin, written by `python -m bench.scaling --write` -->"
    return begin, f"<!-- scaling {part}: end -->"


def replace_block(text: str, part: str, block: str) -> str:
    """Return the text with what stands between the marks replaced; raise MissingMarksError."""
    begin, end = marks(part)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise MissingMarksError(f"needs one line {begin} and one line {end} after it")
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n\n{block.strip()}\n\n{end}{rest.partition(end)[2]}"


def check_marks(path: Path, parts: list[str]) -> None:
    """Raise MissingMarksError or OSError if writing would: before a long run, not after."""
    text = path.read_text("utf-8")
    for part in parts:
        replace_block(text, part, "")


def write_block(path: Path, part: str, block: str) -> None:
    """Replace the block of a part."""
    path.write_text(replace_block(path.read_text("utf-8"), part, block), "utf-8")

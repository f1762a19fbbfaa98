"""Replacing the block between two marks of a Markdown file. What is in the block is not known."""

from pathlib import Path

BEGIN = "<!-- bench: begin, written by `python -m bench --write` -->"
END = "<!-- bench: end -->"


class MissingMarksError(ValueError):
    """A file has not exactly one pair of marks, in their order."""


def replace_block(text: str, block: str) -> str:
    """Return the text with what stands between the marks replaced; raise MissingMarksError."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise MissingMarksError(f"needs one line {BEGIN} and one line {END} after it")
    return f"{before}{BEGIN}\n\n{block.strip()}\n\n{END}{after}"


def check_marks(path: Path) -> None:
    """Raise MissingMarksError or OSError if `write_block` would: before a long run, not after."""
    replace_block(path.read_text("utf-8"), "")


def write_block(path: Path, block: str) -> None:
    """Replace the block of a file."""
    path.write_text(replace_block(path.read_text("utf-8"), block), "utf-8")

"""Replacing the block between two marks of a Markdown file, whatever is in it."""

from dataclasses import dataclass
from pathlib import Path


class MissingMarksError(ValueError):
    """A file has not exactly one pair of a block's marks, in their order."""


@dataclass(frozen=True, slots=True)
class Block:
    """What a program writes into a page; `program` as in `python -m PROGRAM`."""

    name: str
    program: str

    @property
    def begin(self) -> str:
        """The line before the block."""
        return f"<!-- {self.name}: begin, written by `python -m {self.program}` -->"

    @property
    def end(self) -> str:
        """The line after the block."""
        return f"<!-- {self.name}: end -->"

    def replace(self, text: str, content: str) -> str:
        """Return the text with what stands between the marks replaced; raise MissingMarksError."""
        before, begin, rest = text.partition(self.begin)
        _, end, after = rest.partition(self.end)
        if not begin or not end or self.begin in rest or self.end in before + after:
            raise MissingMarksError(f"needs one line {self.begin} and one line {self.end} after it")
        return f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"

    def check(self, path: Path) -> None:
        """Raise MissingMarksError or OSError if `write` would: before a long run, not after."""
        self.replace(path.read_text("utf-8"), "")

    def write(self, path: Path, content: str) -> None:
        """Replace the block in a file."""
        path.write_text(self.replace(path.read_text("utf-8"), content), "utf-8")

"""What the product's programs told in their logs, as far as the drill asks."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Told:
    """What was read. `stale`: when attempts were refused, because their lease was over.

    `faults`: what the product itself calls an error, which no outage is, by its first words.
    """

    stale: list[float]
    faults: list[tuple[float | None, str]]


def read_logs(directory: Path) -> Told:
    """Read the logs of all programs."""
    stale: list[float] = []
    faults: list[tuple[float | None, str]] = []
    for log in sorted(directory.glob("*.log")):
        for line in _lines(log):
            at = _instant(line.get("timestamp"))
            if line.get("event") == "letter_attempted" and line.get("recorded") is False and at:
                stale.append(at)
            if line.get("level") in ("error", "critical"):
                faults.append((at, f"{log.stem}: {_words(line)}"))
    return Told(stale, faults)


def _lines(log: Path) -> Iterator[dict[str, Any]]:
    is_raised = False
    for text in log.read_text("utf-8", "replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            # Python's own words, where something ended before or after logs were set up; what was
            # raised stands behind the traceback.
            line = {"level": "error", "event": text} if is_raised and text[:1].strip() else {}
            is_raised = text.startswith("Traceback") or (is_raised and not line)
        if isinstance(line, dict):
            yield line


def _words(line: dict[str, Any]) -> str:
    last: Iterable[str] = str(line.get("exception", "")).strip().splitlines()[-1:]
    return " ".join([str(line.get("event")), str(line.get("error", "")), *last])[:300].strip()


def _instant(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None

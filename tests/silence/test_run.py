"""The program as a caller of it sees it: a short run, its report, and its refusals."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.processes import ROOT
from silence.report import BLOCK


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "silence", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_caller_learns_nothing_from_the_service_as_shipped(database: str, tmp_path: Path) -> None:
    page, data = tmp_path / "page.md", tmp_path / "data.json"
    page.write_text(f"# Silence\n\n{BLOCK.begin}\n{BLOCK.end}\n\nThe end.\n")
    options = ["--quick", "--database", database, "--series", "reset"]
    done = run(*options, "--write", page, "--json", data)

    assert done.returncode == 0, done.stdout + done.stderr
    found = {one["series"]: one for one in json.loads(data.read_text())["findings"]}
    assert found.keys() == {"reset", "after reset"}
    for name in ("reset", "after reset"):
        assert [p["verdict"] for p in found[name]["pairs"] if p["second"] == "control"] == ["found"]
    assert all(len(one["shapes"]) == 1 for one in found.values())
    assert "| control |" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--database", "oracle"], "'oracle' is none of postgres, sqlite"),
        (["--series", "telepathy"], "'telepathy' is none of reset, later, forgot, login, outage"),
        (["--classes", "friends"], "'friends' is none of unknown, active"),
        (["--requests", "1"], "greater than or equal to 100"),
        (["--write", "missing.md"], "No such file"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_starts(
    arguments: list[str], told: str
) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert told in " ".join(done.stderr.replace("│", " ").split())


def test_the_help_has_examples() -> None:
    done = run("--help")

    assert done.returncode == 0
    assert "python -m silence --quick" in done.stdout

"""A short drill of the program as it is: processes die, connections break, and nothing is lost."""

import json
import subprocess
import sys

import pytest
from bench.processes import ROOT


@pytest.mark.parametrize(
    ("database", "faults"),
    [
        ("postgres", ["all-killed", "postgres-cut", "smtp-drop-kept"]),
        ("sqlite", ["all-killed", "sqlite-locked", "smtp-drop-kept"]),
    ],
)
def test_nothing_is_lost_in_a_few_rounds(database: str, faults: list[str]) -> None:
    only = [word for name in faults for word in ("--only", name)]
    command = ["--database", database, "--rounds", "3", "--seed", "20261126", *only, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "drill", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["violations"] == []
    assert report["total"]["rounds"] == 3
    assert report["total"]["acknowledged"] > 100
    assert report["total"]["mails"] > 0

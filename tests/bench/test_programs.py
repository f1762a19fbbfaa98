"""The two programs run from end to end on the product as it is, as small as they can be."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.processes import ROOT


def run(*command: object) -> None:
    words = [sys.executable, "-m", *map(str, command)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_bench_measures_the_product(tmp_path: Path, database: str) -> None:
    options = ["--rows", "a", "--databases", database, "--connections", 4, "--separate", "none"]
    run("bench", "--quick", *options, "--seconds", 1, "--json", tmp_path / "bench.json")
    (row,) = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert row["failure"] is None
    assert row["median"]["per_second"] > 0
    assert row["median"]["not_200"] == {}


def test_scaling_measures_every_part(tmp_path: Path) -> None:
    options = ["--rows", 1000, "--tenants", 10, "--backlog", 1000, "--rounds", 1]
    run("bench.scaling", "--quick", *options, "--json", tmp_path / "scaling.json")
    parts = json.loads((tmp_path / "scaling.json").read_text())["parts"]
    assert parts.keys() >= {"users", "tenants", "backlog"}

"""Reports of several runs in one: what is taken of each, and what is said of it."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from silence.draws import Subject
from silence.findings import Finding, analyse
from silence.report import BLOCK, Report, Run
from silence.together import app, put_together, read_report
from typer.testing import CliRunner

MACHINE = {"commit": "abc", "Python": "3.11"}


def found(
    database: str, series: str, names: str = "ab", count: int = 500, shift: int = 0
) -> list[Finding]:
    chance = random.Random(20261126)
    subjects = []
    for place, name in enumerate(names):
        made = Subject(name, "plain", [], bytes)
        made.answers.extend(int(chance.gauss(10**6, 10**5)) + place * shift for _ in range(count))
        made.shapes[b"HTTP/1.1 200 OK"] += 1
        subjects.append(made)
    return list(analyse(database, series, f"the {series}", subjects, must_find=False))


def report(command: str, findings: Sequence[Finding], **own: str) -> Report:
    run = Run(command, MACHINE | own, ["Asked by lot.", *([f"By {command}."] if own else [])])
    return Report([run], list(findings), {})


def saved(path: Path, made: Report) -> Path:
    path.write_text(json.dumps(made.as_json()))
    return path


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = report("one", found("sqlite", "reset", "abc"))
    assert read_report(saved(tmp_path / "one.json", made)) == made


def test_the_later_of_two_findings_on_the_same_classes_is_taken() -> None:
    old, new = found("sqlite", "reset", count=100), found("sqlite", "reset", count=200)
    others = found("sqlite", "reset", "ac"), found("postgres", "reset")
    made = put_together(
        [report("old", [*old, *others[0]]), report("new", new), report("pg", others[1])]
    )
    assert made.findings == [*others[1], *new, *others[0]]


def test_a_run_of_which_nothing_was_taken_is_not_spoken_of() -> None:
    old = Report([Run("old", MACHINE, [])], found("sqlite", "reset"), {"postgres": "no server"})
    made = put_together([old, report("new", found("sqlite", "reset", count=200))])
    assert [run.command for run in made.runs] == ["new"]
    assert made.is_well()


def test_findings_come_in_the_order_of_a_whole_run() -> None:
    parts = [
        report(name, found(database, series))
        for name, database, series in (
            ("1", "sqlite", "later"), ("2", "sqlite", "after reset"), ("3", "sqlite", "reset"),
            ("4", "postgres", "outage"),
        )
    ]  # fmt: skip
    order = [(one.database, one.series) for one in put_together(parts).findings]
    assert order[0] == ("postgres", "outage")
    assert order[3] == ("sqlite", "later")


def test_what_holds_for_all_runs_is_said_once() -> None:
    text = put_together(
        [
            report("first", found("sqlite", "reset"), commit="1234567"),
            report("second", found("sqlite", "later"), commit="89abcde"),
        ]
    ).markdown()
    assert "Command: `first`: commit 1234567. By first.\n" in text
    assert "Command: `second`: commit 89abcde. By second.\n" in text
    assert "Measured on: Python 3.11.\n" in text
    assert text.count("- Asked by lot.") == 1


def test_what_one_run_heard_fails_the_whole(tmp_path: Path) -> None:
    quiet = saved(tmp_path / "quiet.json", report("quiet", found("sqlite", "later")))
    loud = saved(
        tmp_path / "loud.json", report("loud", found("sqlite", "reset", count=5_000, shift=50_000))
    )
    page = tmp_path / "page.md"
    page.write_text(f"{BLOCK.begin}\n{BLOCK.end}\n")
    assert CliRunner().invoke(app, [str(quiet), "--write", str(page)]).exit_code == 0
    assert "HEARD" not in page.read_text()
    assert CliRunner().invoke(app, [str(quiet), str(loud), "--write", str(page)]).exit_code == 1
    assert "1 HEARD" in page.read_text()


@pytest.mark.parametrize("content", ["{}", "no JSON", '{"findings": 3}'])
def test_a_file_that_is_no_report_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"odd\.json is no report"):
        read_report(path)

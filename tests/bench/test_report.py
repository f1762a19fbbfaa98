"""Tables, targets and the marked block of a file."""

from pathlib import Path

import pytest
from bench.marked import Block, MissingMarksError
from bench.plan import Outcome
from bench.probe import Finding, medians
from bench.report import Report
from bench.rows import Cell, Figures
from bench.tables import Table, number
from bench.targets import Verdict, verdicts


def outcome(row: str, store: str, per_second: float, p50: float, p99: float, n: int) -> Outcome:
    return Outcome(Cell(row, store, 1, n), [Figures(per_second, p50, p99)])


def judged(outcomes: list[Outcome], found: list[Finding]) -> dict[str, Verdict]:
    return {one.target: one for one in verdicts(outcomes, found)}


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (float("nan"), "-"), (0.123, "0.12"), (12.34, "12.3"), (12345.6, "12,346")],
)
def test_numbers_keep_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_markdown_survives_bars_and_line_ends() -> None:
    table = Table("T", ["name", "figure"], [["a|b", "1\n2"]])
    assert table.markdown() == "| name | figure |\n| :-- | --: |\n| a\\|b | 1 2 |"


def test_targets_are_met_at_the_bound_and_missed_beyond_it() -> None:
    outcomes = [
        outcome("a", "postgres", 2000, 1, 10, 64),
        outcome("b", "postgres", 100, 50, 99, 64),
        outcome("c", "none", 2500, 1, 1, 64),
        outcome("d", "postgres", 2001, 1, 1, 64),
    ]
    met = judged(outcomes, [])
    assert met["req/s: (a) / (b)"].word() == "met"
    assert met["p99: (a) / (b)"].word() == "missed"
    assert met["req/s: (a) / (c)"].word() == "met"
    assert met["req/s: (a) / (d), this disk"].word() == "missed"
    assert met["req/s: (a) / (d), fsync +5 ms"].word() == "not measured"


def test_one_connection_is_compared_with_a_commit_and_an_answer() -> None:
    outcomes = [
        outcome("a", "postgres", 1, 0.45, 1, 1),
        outcome("c", "none", 1, 0.1, 1, 1),
        outcome("d", "postgres", 1, 0.2, 1, 1),
    ]
    verdict = judged(outcomes, [])["1 connection: p50 of (a) / (p50 of (d) + p50 of (c))"]
    assert verdict.measured == pytest.approx(1.5)
    assert verdict.kept


def test_mail_targets_come_from_the_separate_measurements() -> None:
    found = [
        Finding("intake, quiet, p99", "postgres", "ms", 2.0),
        Finding("intake, mailer at full speed, p99", "postgres", "ms", 5.0),
        Finding("200 to SMTP acceptance, idle, p99", "postgres", "ms", 40.0),
    ]
    met = judged([], found)
    assert met["intake p99: mailer at full speed / quiet"].measured == 2.5
    assert met["intake p99: mailer at full speed / quiet"].word() == "missed"
    assert met["200 to SMTP acceptance when idle, p99"].word() == "met"


def test_findings_of_repeats_become_one_median_each() -> None:
    repeated = [Finding("x", "sqlite", "ms", value, f"saw {value}") for value in (1.0, 9.0, 4.0)]
    assert medians([*repeated, Finding("w", "sqlite", "s", None, "failed")]) == [
        Finding("x", "sqlite", "ms", 4.0, "saw 4.0"),
        Finding("w", "sqlite", "s", None, "failed"),
    ]


def test_a_failed_row_says_why_and_the_report_is_incomplete() -> None:
    failed = Outcome(Cell("a", "sqlite", 1, 64), failure="StartError: not installed")
    report = Report("cmd", {"processor": "P"}, ["note"], {"a": "authreset"}, [failed], [])
    assert not report.complete()
    assert "| (a) authreset | SQLite | 1 | 64 | failed: StartError: not installed |" in (
        report.markdown()
    )
    assert report.as_json()["rows"][0]["failure"] == "StartError: not installed"


BLOCK = Block("table", "program")
BEGIN, END = BLOCK.begin, BLOCK.end


def test_only_the_marked_block_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    BLOCK.write(page, "new")
    BLOCK.write(page, "newer")
    assert page.read_text() == f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"


@pytest.mark.parametrize(
    "text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN}{END}{END}", f"{BEGIN}{BEGIN}{END}"]
)
def test_a_page_without_one_pair_of_marks_is_left_alone(text: str) -> None:
    with pytest.raises(MissingMarksError):
        BLOCK.replace(text, "new")

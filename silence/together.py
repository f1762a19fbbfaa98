"""Several runs in one report: `python -m silence.together postgres.json sqlite.json`.

A run of everything takes hours, so it may be done in parts, each of which writes what it found with
`--json`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from bench.marked import MissingMarksError

from silence.findings import Finding
from silence.report import BLOCK, Report
from silence.series import ALL
from silence.service import DATABASES

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    files: Annotated[list[Path], typer.Argument(help="What runs wrote by --json, oldest first.")],
    write: Annotated[
        Path | None, typer.Option(help="Replace the marked block of this Markdown file.")
    ] = None,
) -> None:
    """Put the reports of several runs together, as Markdown.

    Of two findings on the same classes in one series and database, the later file's is taken. The
    exit status is 1 if classes can be told apart in what was taken, or a control was not found.
    """
    try:
        if write is not None:
            BLOCK.check(write)
        report = put_together([read_report(one) for one in files])
    except (ValueError, OSError, MissingMarksError) as error:
        raise typer.BadParameter(str(error)) from None
    if write is not None:
        BLOCK.write(write, report.markdown())
    else:
        print(report.markdown())
    if not report.is_well():
        raise typer.Exit(1)


def read_report(path: Path) -> Report:
    """Read what a run wrote by `--json`. Raises OSError, or ValueError that names the file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} is no report of silence: {error}") from None


def put_together(reports: Iterable[Report]) -> Report:
    """Return one report; of findings on the same classes in one series, the last is taken.

    A run of which nothing was taken is left out, with its failures.
    """
    taken: dict[object, tuple[Finding, Report]] = {}
    for report in reports:
        for finding in report.findings:
            taken[_place(finding)] = finding, report
    contributing = list({id(report): report for _, report in taken.values()}.values())
    return Report(
        runs=[run for report in contributing for run in report.runs],
        findings=sorted((finding for finding, _ in taken.values()), key=_order),
        failures={name: why for one in contributing for name, why in one.failures.items()},
    )


def _place(finding: Finding) -> object:
    return finding.database, finding.series, frozenset(one.name for one in finding.times)


def _order(finding: Finding) -> tuple[int, int]:
    series = finding.series.removeprefix("after ")
    return list(DATABASES).index(finding.database), list(ALL).index(series)


if __name__ == "__main__":
    app(prog_name="python -m silence.together")

"""The order of the cells, the medians of an outcome, the cores."""

import pytest
from bench.authreset import Authreset
from bench.choices import counts, rows, words
from bench.cores import place
from bench.plan import Outcome, cells
from bench.rows import Cell, Figures


def test_rows_that_are_compared_stand_side_by_side() -> None:
    plan = list(cells(rows("abcd", Authreset(0, 1)), ["postgres"], [1], [1, 64]))
    assert [(cell.row, cell.connections) for cell in plan] == [
        *[("c", 1), ("a", 1), ("b", 1), ("d", 1)],
        *[("c", 64), ("a", 64), ("b", 64), ("d", 64)],
    ]


def test_pgbench_has_no_processes_and_no_sqlite() -> None:
    plan = list(cells(rows("bd", Authreset(0, 1)), ["postgres", "sqlite"], [1, 2], [64]))
    assert [cell for cell in plan if cell.row == "d"] == [Cell("d", "postgres", 1, 64)]
    assert len(plan) == len(set(plan)) == 5


def test_authreset_on_sqlite_offers_one_process() -> None:
    plan = list(cells(rows("a", Authreset(0, 1)), ["postgres", "sqlite"], [1, 2], [64]))
    assert [(cell.store, cell.processes) for cell in plan] == [
        ("postgres", 1),
        ("sqlite", 1),
        ("postgres", 2),
    ]


def test_medians_are_taken_figure_by_figure_and_refusals_added_up() -> None:
    repeats = [
        Figures(10, 1, 9, cpu_ms=5, not_200={"503": 1}),
        Figures(30, 3, 7, cpu_ms=None, not_200={"503": 2, "lost": 1}),
        Figures(20, 2, 8, cpu_ms=7),
    ]
    median = Outcome(Cell("a", "sqlite", 1, 1), repeats).median()
    assert median == Figures(20, 2, 8, cpu_ms=6, not_200={"503": 3, "lost": 1})
    assert Outcome(Cell("a", "sqlite", 1, 1), failure="no").median() is None


def test_the_load_generator_has_a_core_of_its_own() -> None:
    assert place(1, [0, 1]).servers == (0,)
    assert place(2, [0, 1]).servers == (0,)
    assert place(2, [0, 1, 2, 3]).servers == (0, 1)
    assert place(2, [0, 1, 2, 3]).load == 3


def test_a_choice_that_is_not_known_is_refused() -> None:
    assert words("a, c,a", "abcd", "--rows") == ["a", "c"]
    assert words("none", "abcd", "--rows") == []
    assert counts("64,1", "--connections") == [64, 1]
    with pytest.raises(ValueError, match="--rows"):
        words("x", "abcd", "--rows")
    with pytest.raises(ValueError, match="--connections"):
        counts("0", "--connections")

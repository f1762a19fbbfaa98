"""Showing how far a run is: a bar a step on a terminal, a line a step elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Stage:
    """Told of every step; `progress` is None where nobody watches."""

    def __init__(self, console: Console, progress: Progress | None) -> None:
        self._console = console
        self._progress = progress

    @contextmanager
    def step(self, doing: str, total: int) -> Iterator["Step"]:
        """Show a step of so many parts until the block ends."""
        if self._progress is None:
            self._console.print(doing, highlight=False)
            yield Step(None, 0)
            return
        task = self._progress.add_task(doing, total=total)
        yield Step(self._progress, int(task))
        self._progress.update(task, visible=False)
        self._console.print(f"done: {doing}", highlight=False)


class Step:
    """One step that is under way."""

    def __init__(self, progress: Progress | None, task: int) -> None:
        self._progress = progress
        self._task = task

    def advance(self, parts: int = 1) -> None:
        """Say that so many more parts are done."""
        if self._progress is not None:
            self._progress.advance(self._progress.task_ids[self._task], parts)


@contextmanager
def stage(console: Console) -> Iterator[Stage]:
    """Open a stage on a console."""
    if not console.is_terminal:
        yield Stage(console, None)
        return
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        yield Stage(console, progress)

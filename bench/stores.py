"""Where the rows under test keep their data: SQLite files, or databases of a cluster.

Every measurement gets a fresh copy of a place that its subject prepared once, so that no row
meets what an earlier one left behind. What is in a place is the subject's business.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.postgres import Cluster


@dataclass(frozen=True, slots=True)
class Place:
    """A data directory, and the URL of a PostgreSQL database or None for SQLite in there."""

    directory: Path
    url: str | None


@dataclass(frozen=True, slots=True)
class Store:
    """A kind of database that rows are measured on; `cluster` is None for SQLite."""

    name: str
    title: str
    root: Path
    cluster: Cluster | None = None

    def template(self, subject: str) -> Place:
        """Make an empty place for a subject to prepare."""
        place = self._place(f"{subject}_template")
        place.directory.mkdir(parents=True)
        if self.cluster is not None:
            self.cluster.execute(f"CREATE DATABASE {subject}_template")
        return place

    def has_template(self, subject: str) -> bool:
        """Tell whether a subject's template was begun."""
        return self._place(f"{subject}_template").directory.exists()

    def fresh(self, subject: str) -> Place:
        """Make a copy of the subject's template, in place of the copy made before."""
        place = self._place(f"{subject}_run")
        shutil.rmtree(place.directory, ignore_errors=True)
        shutil.copytree(self._place(f"{subject}_template").directory, place.directory)
        if self.cluster is not None:
            self.cluster.execute(
                f"DROP DATABASE IF EXISTS {subject}_run WITH (FORCE)",
                f"CREATE DATABASE {subject}_run TEMPLATE {subject}_template",
                "CHECKPOINT",
            )
        else:
            os.sync()
        return place

    def _place(self, database: str) -> Place:
        url = None if self.cluster is None else self.cluster.url(database)
        return Place(self.root / self.name / database, url)

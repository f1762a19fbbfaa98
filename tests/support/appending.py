"""Waiting for what was appended, which on SQLite goes through the inbox first."""

from authreset.store.embedded_intake import SqliteAppender
from authreset.store.intake import Appender


async def until_moved(appender: Appender) -> None:
    """Return when what was appended is in the table of requests."""
    if isinstance(appender, SqliteAppender):
        await appender.moved()

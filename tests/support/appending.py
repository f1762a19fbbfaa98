"""The product's own way to store requests, whichever database it is."""

from authreset.store.database import Database
from authreset.store.embedded_intake import SqliteAppender
from authreset.store.intake import Appender, PostgresAppender


def open_appender(database: Database) -> Appender:
    """Return what a web process appends with."""
    if database.is_postgres:
        return PostgresAppender(database.url)
    return SqliteAppender(database.url)


async def until_moved(appender: Appender) -> None:
    """Return when what was appended is in the table of requests."""
    if isinstance(appender, SqliteAppender):
        await appender.moved()

"""What Alembic runs around the revisions. `authreset.store.schema` starts it, nobody else.

Rules for a new revision, because old and new processes run side by side while an operator updates:

- Expand, then contract. One release adds what the new code needs (a nullable column, one with a
  server default, a table, an index); the old code must not notice. Only a release after it, when
  no process uses the old form any more, takes that away. Never rename: add, copy, remove.
- The number is the order: `r0002_what_it_does.py` with `revision = "0002"`. A database that is
  ahead of a process is thus recognised, and left alone. Begin with a copy of the newest one.
- Each revision runs in one transaction together with the note that it ran, on SQLite too. So there
  is no CREATE INDEX CONCURRENTLY here; on PostgreSQL `schema.LOCK_SECONDS` keeps a revision from
  queueing up the traffic behind a lock that it cannot get.
- On SQLite a table that others refer to is never rebuilt (Alembic's batch mode): dropping the old
  one would cascade. ADD COLUMN, DROP COLUMN, CREATE and DROP are enough.
- A revision is explicit and frozen: it imports nothing from `tables`, which moves on without it.
"""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection)
context.run_migrations()

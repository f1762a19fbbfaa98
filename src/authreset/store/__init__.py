"""All SQL. One module a noun; nothing outside this package writes a statement."""

"""The way of a database from nothing to the declared tables, one revision a step."""

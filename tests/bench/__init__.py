"""The benchmark's own arithmetic, tables and load generator."""

"""Lets `python -m authreset` do what `authreset` does."""

from authreset.cli import main

main()

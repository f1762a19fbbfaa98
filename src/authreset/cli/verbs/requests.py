"""The verbs `request`."""

from authreset.cli.verbs.options import new_group

requests = new_group("Requests: why did (no) mail arrive?")

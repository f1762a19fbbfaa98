"""The verbs `client`."""

from authreset.cli.verbs.options import new_group

clients = new_group("OAuth clients: add, rotate, revoke.")

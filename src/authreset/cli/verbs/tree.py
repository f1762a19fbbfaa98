"""The verbs `organization` and `paypoint`."""

from typing import Annotated

import typer

from authreset.cli.verbs.options import AsJson, Name, NewEntry, Pairs, example, finish, new_group

organizations = new_group("Organizations: add, list, change what they set.")
paypoints = new_group("Paypoints: add, change what they set.")

_SETTINGS = (
    "Settings: public_url, sender_name, sender_address, brand_name, accent, support_address, "
    "sign_in_url, locale, password_minimum, link_minutes."
)
_Entry = Annotated[str, typer.Argument(help="Entry name.", metavar="ENTRY")]
_Changes = Annotated[
    list[str] | None,
    typer.Argument(help="Settings to change; NAME= inherits again.", metavar="[NAME=VALUE]..."),
]


@organizations.command(
    "add",
    epilog=example(
        'organization add --entry pilgrim-planner --name "Pilgrim" --set accent=#1f5fbf'
    ),
)
def add_organization(
    entry: NewEntry,
    name: Name,
    parent: Annotated[
        str | None, typer.Option(help="Entry of the organization above it; none makes a root.")
    ] = None,
    settings: Pairs = None,
    as_json: AsJson = False,
) -> None:
    """Add an organization to the tenant tree."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import tree
    from authreset.rules.outcomes import EntityType

    finish(
        run_opened(
            lambda opened: tree.add(
                opened, EntityType.ORGANIZATION, entry, name, parent, settings or ()
            ),
            as_json=as_json,
        )
    )


@paypoints.command(
    "add",
    epilog=example('paypoint add --entry 8cfec329267 --name "Shop" --organization pilgrim-planner'),
)
def add_paypoint(
    entry: NewEntry,
    name: Name,
    organization: Annotated[str, typer.Option(help="Entry of the organization it belongs to.")],
    settings: Pairs = None,
    as_json: AsJson = False,
) -> None:
    """Add a paypoint below an organization."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import tree
    from authreset.rules.outcomes import EntityType

    finish(
        run_opened(
            lambda opened: tree.add(
                opened, EntityType.PAYPOINT, entry, name, organization, settings or ()
            ),
            as_json=as_json,
        )
    )


@organizations.command("list", epilog=example("organization list", "organization list --json"))
def list_organizations(as_json: AsJson = False) -> None:
    """List the tenant tree, organizations and paypoints."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import tree

    finish(run_opened(tree.list_all, as_json=as_json))


def change_settings(entry: _Entry, changes: _Changes = None, as_json: AsJson = False) -> None:
    """Change what it sets for itself and all below it; without NAME=VALUE, show that."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import tree

    finish(run_opened(lambda opened: tree.change(opened, entry, changes or ()), as_json=as_json))


for _group, _noun, _entry in (
    (organizations, "organization", "pilgrim-planner"),
    (paypoints, "paypoint", "8cfec329267"),
):
    _group.command(
        "set",
        epilog=_SETTINGS
        + "\n\n"
        + example(
            f"{_noun} set {_entry} sender_name=Pilgrim link_minutes=30",
            f"{_noun} set {_entry} accent=",
        ),
    )(change_settings)

"""The settings as they are, and the document of the API."""

import json
import os
from importlib.resources import files

from rich.console import Console

from authreset.cli.answers import REFUSED, SUCCEEDED, Answer, Outcome
from authreset.cli.survey import Survey, survey_settings


def list_settings() -> Outcome:
    """List every setting with its value and source."""
    survey = survey_settings(os.environ)
    wrong = len(survey.errors)
    data = {
        "settings": [
            {
                "name": one.variable,
                "value": one.value,
                "source": one.source,
                "meaning": one.meaning,
                "error": one.error,
            }
            for one in survey.settings
        ],
        "errors": dict(survey.errors),
        "unknown": dict(survey.unknown),
    }
    if wrong:
        data |= {"error": f"{wrong} setting(s) cannot be used", "todo": "correct them"}
    return Answer(
        data,
        show=lambda console: _print(console, survey),
        status=REFUSED if wrong else SUCCEEDED,
    )


def _print(console: Console, survey: Survey) -> None:
    for one in survey.settings:
        console.print(f"{one.variable} = {one.value or '(not set)'}", style="bold", end="")
        console.print(f"   [{one.source}]")
        console.print(f"    {one.meaning}")
    for name, error in survey.errors.items():
        console.print(f"{name}: {error}", style="bold red")
    for name, meant in survey.unknown.items():
        hint = f"; did you mean {meant}?" if meant else ""
        console.print(f"{name} is no setting{hint}", style="bold red")


def read_openapi() -> Outcome:
    """Return the document that is served at /openapi.json."""
    text = files("authreset.web").joinpath("openapi.json").read_text("utf-8")
    return Answer(json.loads(text), text.rstrip())

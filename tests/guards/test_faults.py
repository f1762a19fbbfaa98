"""Every fault that the edge can tell, told as the published SDK reads it."""

import importlib
import pkgutil
import re

import pytest
from payabli.types.payabli_error_body import PayabliErrorBody

import authreset.web
from authreset.web.faults import Fault, bad_request, too_many
from tests.guards.sources import modules, name_of

STATUSES = {400, 401, 403, 404, 405, 429, 500, 503}


def all_faults() -> dict[str, Fault]:
    """Return every fault that stands in a module of the edge, by name, and those made there."""
    found = {"bad_request": bad_request("x"), "too_many": too_many(0.1)}
    for info in pkgutil.walk_packages(authreset.web.__path__, "authreset.web."):
        for name, value in vars(importlib.import_module(info.name)).items():
            if isinstance(value, Fault):
                found[f"{info.name}.{name}"] = value
    return found


FAULTS = all_faults()


def test_there_are_faults():
    assert {fault.status for fault in FAULTS.values()} == STATUSES


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_sdk_reads_it(fault):
    body = PayabliErrorBody.model_validate_json(fault.body("01a209e2-d1b0"))
    assert body.is_success is False
    assert body.response_code == fault.status
    assert body.response_text
    assert body.response_data is not None
    assert body.response_data.explanation
    assert body.response_data.todo_action


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_only_what_passes_says_when_to_come_again(fault):
    assert (fault.retry_after is not None) == (fault.status in (429, 503))


@pytest.mark.parametrize("seconds", [0.0001, 0.5, 1, 1.0001, 59.2])
def test_nobody_is_asked_back_too_early(seconds):
    wait = too_many(seconds).retry_after
    assert wait is not None
    assert seconds <= wait < seconds + 1


def test_status_codes_stand_in_one_module():
    """A code elsewhere would be an answer that nobody thought through here."""
    elsewhere = [
        f"{name_of(path)}: {found}"
        for path in modules("web")
        if path.name not in {"faults.py", "health.py", "schemas.py", "reference.py"}
        for found in re.findall(r"Fault\(\s*\d{3}|status_code=[45]\d\d", path.read_text("utf-8"))
    ]
    assert elsewhere == []

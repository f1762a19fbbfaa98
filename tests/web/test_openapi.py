"""The served program against its own document: whatever is sent, the answer is one it foresees."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis import APIOperation, Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from authreset.web.documents import OPENAPI
from tests.support.server import Service, service

Operation = APIOperation[Any, Any, Any, Any]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BRIEF = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
OPERATIONS: dict[str, Operation] = {
    found.label: found
    for found in (result.ok() for result in openapi.from_dict(OPENAPI).get_all_operations())
}
CALLS = {label: one for label, one in OPERATIONS.items() if "/api/" in label}
TAKES_INPUT = {label: one for label, one in CALLS.items() if "GET" not in label}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Serve an installation that limits nobody."""
    unlimited = {"limit_address": "off", "limit_token": "off", "log_level": "error"}
    with service(tmp_path_factory.mktemp("openapi"), **unlimited) as installed:
        installed.start()
        yield installed


@pytest.fixture(scope="module")
def tokens(served: Service) -> dict[str, str]:
    """Return a token that opens each call, where there is one."""
    demo = served.run("demo")
    return {
        "/api/User/authreset": demo["organization_token"],
        "/api/User/auth/{provider}": demo["application_token"],
    }


def explore(operation: Operation, mode: GenerationMode, url: str, token: str | None) -> None:
    """Send what fits the document, or what does not, and hold each answer to the document."""
    with requests.Session() as session:

        @BRIEF
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Case) -> None:
            headers = {"requestToken": token} if token else None
            answer = case.call(base_url=url, session=session, headers=headers)
            case.validate_response(answer, checks=CHECKS)

        send()


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_what_fits_the_document_is_answered_as_it_says(
    operation: Operation, served: Service, tokens: dict[str, str]
) -> None:
    explore(operation, GenerationMode.POSITIVE, served.url, tokens.get(operation.path))


@pytest.mark.parametrize("operation", TAKES_INPUT.values(), ids=TAKES_INPUT)
def test_what_does_not_fit_is_answered_as_it_says_too(
    operation: Operation, served: Service, tokens: dict[str, str]
) -> None:
    explore(operation, GenerationMode.NEGATIVE, served.url, tokens.get(operation.path))


@pytest.mark.parametrize("operation", CALLS.values(), ids=CALLS)
def test_strangers_are_answered_as_it_says(operation: Operation, served: Service) -> None:
    explore(operation, GenerationMode.POSITIVE, served.url, None)


def test_document_is_valid_and_the_one_in_the_package(served: Service) -> None:
    answer = httpx.get(f"{served.url}/openapi.json")
    assert answer.json() == OPENAPI
    validate(answer.json())


def test_every_call_of_the_document_can_be_explored() -> None:
    assert len(CALLS) >= 6

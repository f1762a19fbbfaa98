"""Whatever the headers and the body say: an answer in the contract's shape, alike by both ways."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.fuzz import Deck, both_ways, complaint_of, open_deck
from tests.hostile.seeds import BODIES, FIELDS, mutated

VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f")
VALUES = st.text(VISIBLE, max_size=40) | st.sampled_from([value for _, value in FIELDS])
NAMES = st.sampled_from(sorted({name for name, _ in FIELDS}))
TEXTS = st.text(max_size=60) | st.sampled_from(["ada@example.com", "8cfec329267", "pilgrim"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
QUESTIONS = st.fixed_dictionaries(
    {}, optional={"email": JSON, "entry": JSON, "entryType": st.sampled_from([0, 2, 1]) | JSON}
)
BODY = (
    st.binary(max_size=200)
    | st.builds(mutated, st.sampled_from(BODIES), st.randoms(use_true_random=False))
    | (QUESTIONS | JSON).map(lambda value: encoded(value))
)


def encoded(value: object) -> bytes:
    """Write JSON as Python does, with NaN and lone surrogates where there are any."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
async def deck(sqlite_databases, anyio_backend):
    async with open_deck(sqlite_databases.make()) as opened:
        yield opened


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=4), BODY, st.booleans())
async def test_answer_is_the_contracts_and_alike_by_both_ways(deck: Deck, given, body, has_token):
    fields = [("Host", "x"), ("Content-Type", "application/json"), *given]
    if has_token:
        fields.append(("requestToken", deck.token))
    short, usual = await both_ways(deck, fields, body)
    assert short == usual
    assert complaint_of(short) is None


async def test_how_deep_is_too_deep_does_not_depend_on_the_way(deck: Deck):
    """The decoders go as deep as the stack allows, and by one way it is higher already."""
    fields = [("Host", "x"), ("Content-Type", "application/json"), ("requestToken", deck.token)]
    for depth in (*range(190, 210), *range(900, 1000)):
        short, usual = await both_ways(deck, fields, b'{"x":' * depth + b"!")
        assert short == usual

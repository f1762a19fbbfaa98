"""Spellings undone and patterns seen, apart from what the password rule makes of them."""

import pytest

from authreset.rules.spellings import core, length_without_runs, split_words


@pytest.mark.parametrize(
    ("text", "length"),
    [("", 0), ("a", 1), ("ab", 2), ("abc", 2), ("abcqabc", 5), ("a.b", 3), ("12345678", 2)],
)
def test_length_without_runs(text: str, length: int) -> None:
    assert length_without_runs(text) == length


def test_split_words_finds_each_part_of_an_address() -> None:
    assert split_words(["jane.doe@acme-pay.example"]) == [
        "janedoe@acmepayexample", "acmepayexample", "acmepay", "example", "janedoe", "acme", "jane",
    ]  # fmt: skip
    assert split_words(["Al", "", "J\u00f6rg", "\ud800walnut"]) == ["walnut", "jorg"]


@pytest.mark.parametrize(
    ("text", "stripped"), [("password1!", "password"), ("abc7391#!55", "abc7391#!55")]
)
def test_core(text: str, stripped: str) -> None:
    assert core(text) == stripped

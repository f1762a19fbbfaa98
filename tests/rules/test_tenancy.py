"""The tenant tree: who is inside whose tree, and whose word about a setting counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.rules.tenancy import (
    SETTING_NAMES,
    EntityRef,
    EntitySettings,
    are_related,
    inherit_settings,
    path_ids,
)


def at(path: str) -> EntityRef:
    ids = path_ids(path)
    return EntityRef(ids[-1], 0, f"e{ids[-1]}", ids[0], path)


@pytest.mark.parametrize(
    ("node", "other", "holds"),
    [
        ("/1/", "/1/", True),
        ("/1/", "/1/4/9/", True),
        ("/1/4/", "/1/4/9/", True),
        ("/1/4/9/", "/1/4/", False),
        ("/1/4/", "/1/5/", False),
        ("/1/", "/2/", False),
        ("/1/", "/12/", False),  # the slash keeps 1 and 12 apart
        ("/1/4/", "/1/45/", False),
        ("/12/", "/1/", False),
    ],
)
def test_a_node_holds_itself_and_what_is_below(node: str, other: str, holds: bool) -> None:
    assert at(node).holds(at(other)) is holds


@pytest.mark.parametrize(
    ("path", "other", "related"),
    [
        ("/1/", "/1/", True),
        ("/1/", "/1/4/", True),
        ("/1/4/", "/1/", True),
        ("/1/4/", "/1/5/", False),
        ("/1/4/9/", "/1/5/", False),
        ("/1/", "/2/", False),
        ("/1/4/", "/1/45/", False),
    ],
)
def test_relatives_stand_on_one_line_of_descent(path: str, other: str, related: bool) -> None:
    assert are_related(path, other) is related
    assert are_related(other, path) is related


lines = st.lists(st.integers(1, 10**12), min_size=1, max_size=8, unique=True)


def as_path(ids: list[int]) -> str:
    return f"/{'/'.join(map(str, ids))}/"


@given(ids=lines, other=lines)
def test_paths_agree_with_lists_of_ancestors(ids: list[int], other: list[int]) -> None:
    path, other_path = as_path(ids), as_path(other)
    assert path_ids(path) == ids
    is_prefix = other[: len(ids)] == ids
    assert at(path).holds(at(other_path)) is is_prefix
    assert are_related(path, other_path) is (is_prefix or ids[: len(other)] == other)


def test_the_nearest_word_counts_and_none_is_no_word() -> None:
    settings = inherit_settings(
        [
            {"brand_name": "Root", "link_minutes": 30, "locale": "en"},
            {"brand_name": None, "link_minutes": 15},
            {},
            {"locale": "de", "sender_name": ""},
        ]
    )
    assert settings == EntitySettings(
        brand_name="Root", link_minutes=15, locale="de", sender_name=""
    )


def test_unknown_settings_are_left_aside() -> None:
    """A row that a later version wrote must not break this one."""
    assert inherit_settings([{"of_the_future": 1, "accent": "#0a5"}]) == EntitySettings(
        accent="#0a5"
    )
    assert inherit_settings([]) == EntitySettings()


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(SETTING_NAMES), st.one_of(st.none(), st.integers()), max_size=5
        ),
        max_size=5,
    )
)
def test_each_setting_is_the_last_word_said(layers: list[dict[str, object]]) -> None:
    merged = inherit_settings(layers)
    for name in SETTING_NAMES:
        said = [layer[name] for layer in layers if layer.get(name) is not None]
        assert getattr(merged, name) == (said[-1] if said else None)

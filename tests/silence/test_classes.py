"""The addresses of the classes: well formed, all different, all of one length, spelt as meant."""

import pytest
from silence.choices import REQUESTS
from silence.classes import ALL_KINDS, UNICODE, Kind, address, find, stored_address
from silence.questions import Asking

from authreset.rules.addresses import address_key, is_address

ASKING = Asking("pilgrim-planner", "o.organization", "a.application")


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_each_number_has_an_address_of_its_own_and_its_user_is_found_by_it(kind: Kind) -> None:
    typed = [address(kind, number) for number in range(2_000)]

    assert all(map(is_address, typed))
    assert len({address_key(one) for one in typed}) == 2_000
    assert [address_key(one) for one in typed] == [
        address_key(stored_address(kind, number)) for number in range(2_000)
    ]
    assert kind.odd is not typed[0].isascii()


def test_no_class_is_told_by_the_length_of_its_request() -> None:
    for question in (ASKING.reset, ASKING.log_in):
        assert len({len(question(kind, 7)) for kind in ALL_KINDS}) == 1


def test_no_address_is_in_two_classes() -> None:
    keys = [address_key(address(kind, number)) for kind in ALL_KINDS for number in range(500)]

    assert len(set(keys)) == len(keys)


def test_an_unknown_class_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'stranger' is none of unknown, active"):
        find(["active", "stranger"])


def test_a_whole_run_has_an_address_for_each_of_its_users() -> None:
    users = range(2 * REQUESTS)
    assert len({stored_address(UNICODE, number) for number in users}) == len(users)

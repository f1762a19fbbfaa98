"""Users from the command line: adding with a password, changing status and address."""

import asyncio
from typing import Any

import pytest

from authreset.hashing import PasswordHasher
from authreset.rules.lockout import UserStatus
from authreset.store.users import User, find_all_by_email, load_role_paths
from tests.cli.program import PASSWORD, Program

ADD = ("user", "add", "--entry", "pilgrim-planner", "--name", "Zoe Finch")


def find(program: Program, email: str) -> list[User]:
    async def load(tx: Any) -> list[User]:
        return await find_all_by_email(tx, email)

    return program.look(load)


def test_a_user_is_added_with_a_password_that_verifies(demo: Program) -> None:
    added = demo.do(*ADD, "--email", "Zoe@Example.com", "--password-stdin", stdin=PASSWORD + "\n")
    assert added["has_password"] is True
    (user,) = find(demo, "zoe@example.com")
    assert (user.id, user.email, user.status) == (added["id"], "Zoe@Example.com", 1)
    assert user.password_hash is not None
    assert user.password_hash.startswith("$argon2id$")
    hasher = PasswordHasher()
    assert asyncio.run(hasher.verify(user.password_hash, PASSWORD))
    hasher.close()


def test_the_password_is_printed_nowhere(demo: Program) -> None:
    result = demo(*ADD, "--email", "zoe@example.com", "--password-stdin", stdin=PASSWORD)
    assert result.status == 0
    assert PASSWORD not in result.out + result.err


def test_without_a_password_the_first_one_comes_by_a_reset(demo: Program) -> None:
    result = demo(*ADD, "--email", "zoe@example.com")
    assert "a reset sets the first one" in result.out
    assert find(demo, "zoe@example.com")[0].password_hash is None


def test_a_role_is_held_at_the_entry_within_its_root(demo: Program) -> None:
    added = demo.do("user", "add", "--email", "zoe@example.com", "--entry", "47ae3de37",
                    "--name", "Zoe", "--role", "Cashier")  # fmt: skip

    async def load(tx: Any) -> Any:
        return await load_role_paths(tx, [added["id"]])

    (path,) = demo.look(load)[added["id"]]
    assert path.startswith("/1/2/")
    assert find(demo, "zoe@example.com")[0].root_id == 1


@pytest.mark.parametrize("password", ["short", "passwordpassword", "zoefinchzoefinch", "a" * 20])
def test_the_password_policy_holds(demo: Program, password: str) -> None:
    refusal = demo.refuse(*ADD, "--email", "zoe@example.com", "--password-stdin", stdin=password)
    assert refusal["error"] == "the password was refused"
    assert find(demo, "zoe@example.com") == []


def test_a_minimum_of_the_organization_goes_before_the_setting(demo: Program) -> None:
    demo.do("organization", "set", "pilgrim-planner", "password_minimum=60")
    refusal = demo.refuse(*ADD, "--email", "zoe@example.com", "--password-stdin", stdin=PASSWORD)
    assert "60 characters" in refusal["todo"]


def test_an_empty_standard_input_is_no_password(demo: Program) -> None:
    demo.refuse(*ADD, "--email", "zoe@example.com", "--password-stdin", stdin="")
    assert find(demo, "zoe@example.com") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("--email", "nobody"), ("--email", "a@b\n.example.com"), ("--name", "a\x07b"),
     ("--role", ""), ("--entry", "nowhere")],
)  # fmt: skip
def test_values_that_cannot_be_used_are_refused(demo: Program, field: str, value: str) -> None:
    demo.refuse(*ADD, "--email", "zoe@example.com", field, value)
    assert find(demo, "zoe@example.com") == []


def test_an_address_is_given_once_in_a_root_and_again_in_another(demo: Program) -> None:
    demo.refuse("user", "add", "--email", "ADA@example.com", "--entry", "8cfec329267",
                "--name", "Ada")  # fmt: skip
    demo.do("organization", "add", "--entry", "meridian", "--name", "Meridian")
    demo.do("user", "add", "--email", "ada@example.com", "--entry", "meridian", "--name", "Ada")
    refusal = demo.refuse("user", "set-status", "ada@example.com", "locked")
    assert "several users" in refusal["error"]
    changed = demo.do("user", "set-status", "ada@example.com", "locked", "--entry", "8cfec329267")
    assert changed["changed"] == ["status"]
    locked = [user for user in find(demo, "ada@example.com") if user.status == UserStatus.LOCKED]
    assert [user.root_id for user in locked] == [1]


def test_a_status_is_set_by_id_and_said_once(demo: Program) -> None:
    (alan,) = find(demo, "alan@example.com")
    assert demo.do("user", "set-status", str(alan.id), "active")["changed"] == ["status"]
    assert demo.do("user", "set-status", str(alan.id), "active")["changed"] == []
    assert find(demo, "alan@example.com")[0].status is UserStatus.ACTIVE


def test_an_address_is_changed(demo: Program) -> None:
    demo.do("user", "set-email", "ada@example.com", "ada@example.org")
    assert find(demo, "ada@example.com") == []
    assert find(demo, "ada@example.org")[0].email == "ada@example.org"
    demo.refuse("user", "set-email", "ada@example.org", "grace@example.com")
    demo.refuse("user", "set-email", "ada@example.org", "no address")


@pytest.mark.parametrize("who", ["999", "nobody@example.com", "99999999999999999999999"])
def test_an_unknown_user_is_refused(demo: Program, who: str) -> None:
    demo.refuse("user", "set-status", who, "active")


def test_users_are_listed_with_what_is_below_an_entry(demo: Program) -> None:
    listed = demo.do("user", "list", "--entry", "pilgrim-planner")["users"]
    emails = [user["email"] for user in listed]
    assert emails == sorted(emails)
    assert len(emails) == 6
    (grace,) = [user for user in listed if user["email"] == "grace@example.com"]
    assert (grace["entries"], grace["has_password"]) == (["8cfec329267"], True)
    at_shop = demo.do("user", "list", "--entry", "8cfec329267")["users"]
    assert {user["email"] for user in at_shop} == {"grace@example.com", "alan@example.com"}
    assert len(demo.do("user", "list", "--entry", "pilgrim-planner", "--limit", "2")["users"]) == 2
    demo.refuse("user", "list", "--entry", "nowhere")

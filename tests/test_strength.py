"""The adapter of the strength estimator: what it hands over, and how much of it."""

from authreset.strength import LONGEST_ESTIMATED, estimate_strength


def test_the_estimator_sees_a_bounded_part() -> None:
    start = "a" * LONGEST_ESTIMATED
    assert estimate_strength(start + "xK9#mQ2!vLp7", []) == estimate_strength(start, [])


def test_the_estimator_knows_the_words_it_is_given() -> None:
    password = "zygomorphicquux"
    assert (
        estimate_strength(password, [password]).guesses_log10
        < estimate_strength(password, []).guesses_log10
    )

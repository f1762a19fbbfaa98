"""The circuit breaker as a table: what happens, at which second, and what may go then."""

import pytest

from authreset.rules.circuits import LONGEST_PAUSE, Circuit

USUAL = 32


class Timer:
    """Seconds that are set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timer() -> Timer:
    return Timer()


# (second, what happened just before, letters under way) -> how many more may go
STORIES = {
    "a good server gets everything": [
        (0, None, 0, USUAL),
        (1, "ok", 3, USUAL),
    ],
    "the first failure stops all": [
        (0, "fail", 0, 0),
        (0.99, None, 0, 0),
    ],
    "after the pause goes one probe": [
        (0, "fail", 0, 0),
        (1, None, 0, 1),
    ],
    "no second probe beside the first, nor beside what is still under way": [
        (0, "fail", 5, 0),
        (1, None, 1, 0),
        (2, None, 0, 1),
    ],
    "failures of what was under way count once": [
        (0, "fail", 3, 0),
        (0.1, "fail", 2, 0),
        (0.2, "fail", 1, 0),
        (1, None, 0, 1),
    ],
    "a failed probe doubles the pause": [
        (0, "fail", 0, 0),
        (1, "fail", 0, 0),
        (2.99, None, 0, 0),
        (3, None, 0, 1),
        (3, "fail", 0, 0),
        (6.99, None, 0, 0),
        (7, None, 0, 1),
    ],
    "one success closes it": [
        (0, "fail", 0, 0),
        (1, "ok", 0, USUAL),
        (1, None, 20, USUAL),
    ],
    "a success of what was under way closes it too": [
        (0, "fail", 2, 0),
        (0.5, "ok", 1, USUAL),
    ],
    "pauses begin anew after a success": [
        (0, "fail", 0, 0),
        (1, "fail", 0, 0),
        (3, "ok", 0, USUAL),
        (4, "fail", 0, 0),
        (5, None, 0, 1),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_circuit(story, timer):
    circuit = Circuit(timer, chance=lambda: 0.0)
    start = timer.now
    for second, event, under_way, allowed in story:
        timer.now = start + second
        if event == "fail":
            circuit.fail()
        elif event == "ok":
            circuit.succeed()
        assert circuit.allowance(USUAL, under_way) == allowed, (second, event)
        assert circuit.is_closed == (allowed == USUAL)


def test_pauses_end_at_half_a_minute(timer):
    circuit = Circuit(timer, chance=lambda: 0.0)
    pauses = []
    for _ in range(2000):  # an outage of most of a day
        circuit.fail()
        pauses.append(circuit.seconds_to_wait())
        timer.now += pauses[-1]
    assert pauses[:6] == [1, 2, 4, 8, 16, LONGEST_PAUSE]
    assert set(pauses[6:]) == {LONGEST_PAUSE}


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 1.0), (0.5, 0.75), (0.999999, 0.5)])
def test_jitter_takes_away_up_to_half_a_pause(timer, chance, pause):
    circuit = Circuit(timer, chance=lambda: chance)
    circuit.fail()
    assert circuit.seconds_to_wait() == pytest.approx(pause, abs=1e-5)


def test_success_tells_whether_the_other_side_had_been_away(timer):
    circuit = Circuit(timer, chance=lambda: 0.0)
    assert not circuit.succeed()
    circuit.fail()
    assert circuit.succeed()
    assert not circuit.succeed()


def test_wait_is_never_negative(timer):
    circuit = Circuit(timer, chance=lambda: 0.0)
    circuit.fail()
    timer.now += 100
    assert circuit.seconds_to_wait() == 0

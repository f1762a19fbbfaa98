"""Mutates calls guided by the lines of the product that they reach; needs the package `atheris`.

`python -m tests.hostile.fuzz_guided --seconds 600` begins with the seeds of `fuzz`, and ends with
an error at the first answer that the contract does not know. Atheris is no dependency of ours: it
has no wheel for every Python, and `fuzz` does without.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

try:
    import atheris
except ImportError:
    sys.exit("fuzz_guided needs the package atheris; fuzz needs nothing")

with atheris.instrument_imports(include=["authreset.web", "authreset.rules", "uvicorn"]):
    from tests.hostile.fuzz import (
        Deck,
        complaint_of,
        is_the_intakes,
        open_deck,
        request_of,
        status_of,
    )

from tests.hostile.raw import HOT
from tests.hostile.seeds import BODIES, FIELDS
from tests.support.databases import SqliteDatabases

CALL = f"POST {HOT} HTTP/1.1\r\n".encode()


class Complaint(Exception):
    """The contract does not know this answer."""


def write_seeds(directory: Path, token: str) -> None:
    """Write a file for each seed: a whole request."""
    usual = [("Host", "x"), ("Content-Type", "application/json"), ("requestToken", token)]
    requests = [request_of(HOT, usual, body) for body in BODIES]
    requests += [request_of(HOT, [*usual, field], b"{}") for field in FIELDS]
    for number, request in enumerate(requests):
        (directory / str(number)).write_bytes(request)


async def judge(deck: Deck, octets: bytes) -> None:
    """Raise Complaint when what is answered is none of the contract's."""
    answer = await deck.say(octets)
    is_call = octets.startswith(CALL) and is_the_intakes(answer)
    wrong = complaint_of(answer) if is_call else None
    if wrong or status_of(answer) >= 500:
        raise Complaint(wrong or status_of(answer), octets)


def main() -> None:
    """Fuzz for so long; atheris ends the process."""
    parser = argparse.ArgumentParser(prog="fuzz_guided", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    logging.disable()
    with tempfile.TemporaryDirectory(prefix="authreset-fuzz-") as name, asyncio.Runner() as runner:
        stack, seeds = AsyncExitStack(), Path(name) / "seeds"
        seeds.mkdir()
        url = SqliteDatabases(Path(name)).make()
        deck: Any = runner.run(stack.enter_async_context(open_deck(url)))
        write_seeds(seeds, deck.token)
        options = [f"-max_total_time={seconds}", "-max_len=4096", f"-artifact_prefix={name}/"]
        atheris.Setup(
            [sys.argv[0], *options, str(seeds)], lambda octets: runner.run(judge(deck, octets))
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()

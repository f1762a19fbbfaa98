"""The eight languages, Go twice: what each needs, how its packages are had, how its program is run.

Nothing is ever built inside `examples/`: each program is copied to `build/clients/` first.
"""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clients.harness.commands import Finished, run

SOURCES = Path(__file__).parents[1]
BUILDS = Path(__file__).parents[3] / "build" / "clients"

Command = tuple[str, ...]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Language:
    """`fetch` gets the packages from their registry, `build` compiles, `run` starts the program."""

    name: str
    tools: tuple[str, ...]
    run: Command
    fetch: tuple[Command, ...] = ()
    build: tuple[Command, ...] = ()
    knows_oauth: bool = False
    source: str = ""  # where it stands in clients/, if not under its name

    @property
    def directory(self) -> Path:
        return BUILDS / self.name


@dataclass(frozen=True, slots=True)
class Missing:
    """The toolchain, or a package, is not to be had on this machine."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The toolchain and the packages are here, and the program does not build."""

    reason: str


# Debian's Guzzle serves where there is no Composer; main.php looks for both in the same order.
_GUZZLE = "/usr/share/php/GuzzleHttp/autoload.php"
_PHP_FETCH: Command = (
    ("composer", "install", "--quiet", "--no-interaction")
    if shutil.which("composer")
    else ("php", "-r", f"require '{_GUZZLE}';")
)

LANGUAGES = (
    Language(
        "typescript",
        tools=("node", "npm"),
        fetch=(("npm", "ci", "--no-audit", "--no-fund"),),
        build=(("npm", "run", "--silent", "build"),),
        run=("node", "dist/main.js"),
        knows_oauth=True,  # not the SDK: the program asks for the access token itself
    ),
    Language(
        "python",
        tools=(sys.executable,),
        fetch=(
            (sys.executable, "-m", "venv", "venv"),
            ("venv/bin/pip", "install", "--quiet", "--require-hashes", "-r", "requirements.txt"),
        ),
        run=("venv/bin/python", "main.py"),
        knows_oauth=True,
    ),
    Language(
        "csharp",
        tools=("dotnet",),
        fetch=(("dotnet", "restore", "--verbosity", "quiet"),),
        build=(("dotnet", "build", "--no-restore", "-c", "Release", "-o", "out", "-v", "quiet"),),
        run=("dotnet", "out/client.dll"),
        knows_oauth=True,
    ),
    Language(
        "go",
        tools=("go",),
        fetch=(("go", "mod", "tidy"),),
        build=(("go", "build", "-o", "client", "."),),
        run=("./client",),
        knows_oauth=True,
    ),
    Language(
        "go-nethttp",
        tools=("go",),
        # Debian's Go looks for a C compiler and for git's view of the directory; it needs neither.
        build=(("env", "CGO_ENABLED=0", "go", "build", "-buildvcs=false", "-o", "client", "."),),
        run=("./client",),
        source="go/nethttp",
    ),
    Language("ruby", tools=("ruby",), run=("ruby", "main.rb")),
    Language(
        "java",
        tools=("mvn", "java"),
        fetch=(("mvn", "-q", "-B", "dependency:resolve"),),
        build=(("mvn", "-q", "-B", "package"),),
        run=("java", "-jar", "target/client.jar"),
    ),
    Language("php", tools=("php",), fetch=(_PHP_FETCH,), run=("php", "main.php")),
    Language(
        "swift",
        tools=("swift",),
        build=(("swift", "build", "-c", "release"),),
        run=(".build/release/client",),
    ),
)


def prepare(language: Language, seconds: float, tell: Progress) -> Missing | Broken | None:
    """Copy, fetch and build one program; None when it is ready to run."""
    absent = [tool for tool in language.tools if shutil.which(tool) is None]
    if absent:
        return Missing(f"no {' and no '.join(absent)} on this machine")
    shutil.copytree(
        SOURCES / (language.source or language.name), language.directory, dirs_exist_ok=True
    )
    refused = _in_turn(language, language.fetch, seconds, tell)
    if refused:
        return Missing(f"packages: {refused.complaint}")
    refused = _in_turn(language, language.build, seconds, tell)
    return Broken(f"build: {refused.complaint}") if refused else None


def _in_turn(
    language: Language, commands: tuple[Command, ...], seconds: float, tell: Progress
) -> Finished | None:
    """The first command that fails; the rest are not begun."""
    for command in commands:
        tell(f"{language.name}: {' '.join(map(_short, command))}")
        done = run(command, directory=language.directory, environment=os.environ, seconds=seconds)
        if done.code != 0:
            return done
    return None


def _short(word: str) -> str:
    return Path(word).name if word.startswith("/") else word

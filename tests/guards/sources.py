"""The sources that the guards look at."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "authreset"
TESTS = ROOT / "tests"


def modules(*folders: str) -> list[Path]:
    """Return the modules of the product, or of some of its folders."""
    found = sorted(SOURCES.rglob("*.py"))
    return [path for path in found if not folders or path.relative_to(SOURCES).parts[0] in folders]


def name_of(path: Path) -> str:
    """Return a path as the guards complain about it."""
    return str(path.relative_to(ROOT))


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the string constants of a module with their lines; docstrings are not among them."""
    tree = ast.parse(path.read_text("utf-8"))
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in documents:
            yield node.lineno, node.value

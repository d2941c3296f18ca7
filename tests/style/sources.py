"""
Our sources as tests of style see them: files, functions, lines.

In:    the checkout.
Out:   paths relative to it; code lines of functions in Python, Rust and Solidity.

Rust and Solidity are read by their formatted shape: a function ends where the brace stands under
its first line.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

_BRACED = re.compile(
    r"^(?P<indent> *)(?:pub(?:\([a-z]+\))? |const |unsafe |async |extern \"C\" )*(?:fn|function) "
    r"(?P<name>\w+)"
)
_COMMENT = ("//", "///", "/*", "*", "#")


@cache
def tracked() -> list[str]:
    """All files of the checkout that git knows, or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted(path for path in listed.stdout.splitlines() if (ROOT / path).is_file())


def files(*endings: str, under: str = "") -> list[str]:
    """Files with these endings in a folder."""
    return [path for path in tracked() if path.endswith(endings) and path.startswith(under)]


@cache
def text(path: str) -> str:
    """The file's text; bytes that are no text count as empty."""
    try:
        return (ROOT / path).read_text()
    except UnicodeDecodeError:
        return ""


@cache
def tree(path: str) -> ast.Module:
    """The syntax of a Python file."""
    return ast.parse(text(path), path)


def functions(path: str) -> Iterator[tuple[str, int]]:
    """Name and code lines of each function: no blank lines, comments or docstring."""
    lines = text(path).splitlines()
    if Path(path).suffix == ".py":
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                start = node.body[0].lineno
                if ast.get_docstring(node) is not None:
                    start = (node.body[0].end_lineno or start) + 1
                yield node.name, _code_lines(lines[start - 1 : node.end_lineno])
        return
    for number, line in enumerate(lines):
        found = _BRACED.match(line)
        if found is None:
            continue
        body = _braced_body(lines[number:], found["indent"])
        if body is not None:
            yield found["name"], _code_lines(body)


def _braced_body(lines: list[str], indent: str) -> list[str] | None:
    """The lines between the braces; None for a declaration, nothing for one line."""
    opening = next(
        (n for n, line in enumerate(lines) if line.rstrip().endswith(("{", "}", ";"))), 0
    )
    if not lines[opening].rstrip().endswith("{"):
        return None if lines[opening].rstrip().endswith(";") else []
    end = next(n for n, line in enumerate(lines) if n > opening and line == indent + "}")
    return lines[opening + 1 : end]


def _code_lines(lines: list[str]) -> int:
    return sum(bool(each.strip()) and not each.lstrip().startswith(_COMMENT) for each in lines)

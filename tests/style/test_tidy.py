"""
The style guide as a ratchet: what is long or strange today is listed, and may only get better.

A file or function that leaves its list must be taken off it; nothing new may be added without a
reason in the commit.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.style.sources import files, functions, text, tracked, tree

SOURCES = (".py", ".pyi", ".rs", ".sol")
FILE_SOFT, FILE_HARD = 400, 600
FUNCTION_HARD = 70
WIDTH, WIDE_LINES = 100, 2
"""Comments in Rust, mostly: lower the number with each that goes."""

SLACK = 50
"""Lines under the soft limit at which a file leaves the list: it should not flap."""

LONG_FILES = {
    "bridge/poster.py",
    "sequencer/app.py",
    "sequencer/devnet.py",
    "state/_native.pyi",
    "state/native/src/engine.rs",
    "state/store.py",
    "state/stf/tests/engine/world.rs",
    "tests/unit/state/test_native.py",
}
# Tables of cases, one line or two each.
LONG_FUNCTIONS = {
    ("tests/unit/state/format_vectors.py", "refused"): 100,
    ("tests/unit/state/segment_vectors.py", "bad_segments"): 85,
}
BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}
MARKS = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(?:work|root|home|Users|tmp)/\w")
FLOAT_IN_RUST = re.compile(r"\bf(?:32|64)\b|(?<![\w.])\d+\.\d+(?!\.)")


def test_files_are_short() -> None:
    sizes = {path: len(text(path).splitlines()) for path in files(*SOURCES)}

    assert not {path: size for path, size in sizes.items() if size > FILE_HARD}
    long = {path: size for path, size in sizes.items() if size > FILE_SOFT}
    assert not long.keys() - LONG_FILES, "split them, or say in LONG_FILES why not"
    shrunk = {path for path in LONG_FILES if sizes.get(path, 0) <= FILE_SOFT - SLACK}
    assert not shrunk, "take them off LONG_FILES"


def test_lines_are_short() -> None:
    lines = [line for path in files(*SOURCES) for line in text(path).splitlines()]
    assert sum(len(line) > WIDTH for line in lines) <= WIDE_LINES


def test_functions_are_short() -> None:
    sizes: dict[tuple[str, str], int] = {}
    for path in files(".py", ".rs", ".sol"):
        for name, lines in functions(path):
            sizes[path, name] = max(lines, sizes.get((path, name), 0))
    assert len(sizes) > 2_000, "functions are no longer found"

    long = {key: lines for key, lines in sizes.items() if lines > FUNCTION_HARD}
    assert not {key: n for key, n in long.items() if n > LONG_FUNCTIONS.get(key, 0)}
    assert not LONG_FUNCTIONS.keys() - long.keys(), "take them off LONG_FUNCTIONS"


def test_the_state_knows_no_float() -> None:
    found = []
    for path in files(".rs", under="state/"):
        for number, line in enumerate(text(path).splitlines(), 1):
            code = re.sub(r'"(?:[^"\\]|\\.)*"', "", line).split("//")[0]
            if FLOAT_IN_RUST.search(code):
                found.append(f"{path}:{number}: {line.strip()}")
    for path in files(".py", ".pyi", under="state/"):
        for node in ast.walk(tree(path)):
            if (isinstance(node, ast.Constant) and isinstance(node.value, float)) or (
                isinstance(node, ast.Name) and node.id == "float"
            ):
                found.append(f"{path}:{node.lineno}")
    assert not found


def test_modules_are_named_by_what_they_are_about() -> None:
    found = [
        path for path in tracked() if BANNED_NAMES & {Path(part).stem for part in Path(path).parts}
    ]
    assert not found


def test_nothing_is_left_for_later() -> None:
    assert not _lines_with(MARKS)


def test_no_path_of_one_machine_is_named() -> None:
    assert not _lines_with(MACHINE_PATHS)


def _lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path in tracked()
        for number, line in enumerate(text(path).splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("ending", [".py", ".rs"])
def test_a_file_says_what_it_is(ending: str) -> None:
    silent = []
    for path in files(ending):
        body = text(path).strip()
        if ending == ".py":
            has_header = not body or ast.get_docstring(tree(path)) is not None
        else:
            has_header = body.startswith("//!")
        if not has_header:
            silent.append(path)
    assert not silent


def test_a_skipped_test_says_why() -> None:
    silent = [each for path in files(".py", under="tests/") for each in _silent_skips(path)]
    for path in files(".rs"):
        lines = enumerate(text(path).splitlines(), 1)
        silent += [f"{path}:{number}" for number, line in lines if line.strip() == "#[ignore]"]
    assert not silent


def _silent_skips(path: str) -> Iterator[str]:
    """Calls without a reason, and marks that are not even called."""
    nodes = list(ast.walk(tree(path)))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    called = {id(call.func) for call in calls}
    for call in calls:
        if isinstance(call.func, ast.Attribute) and _skips(call.func):
            reasons = [keyword.value for keyword in call.keywords if keyword.arg == "reason"]
            reasons += call.args[:1] if ast.unparse(call.func) == "pytest.skip" else []
            if not any(ast.unparse(each) not in ("''", "None") for each in reasons):
                yield f"{path}:{call.lineno}"
    for node in nodes:
        if isinstance(node, ast.Attribute) and _skips(node) and id(node) not in called:
            yield f"{path}:{node.lineno}"


def _skips(node: ast.Attribute) -> bool:
    name = ast.unparse(node)
    return node.attr in ("skip", "skipif", "xfail") and name.startswith("pytest.")

"""Reasons: one list in Rust, Python and tests/vectors/errors.json."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from state import errors

ROOT = Path(__file__).parents[3]
LISTED = json.loads((ROOT / "tests" / "vectors" / "errors.json").read_text())["errors"]


def test_classes_are_exactly_the_shared_list() -> None:
    ours = [
        {
            "number": error.number,
            "slug": error.slug,
            "name": error.__name__,
            "group": error.__mro__[1].__name__.removesuffix("Error").lower(),
            "message": error.message,
            "hint": error.hint,
        }
        for error in errors.all_errors()
    ]
    assert ours == LISTED


def test_the_list_is_that_of_the_formats_page() -> None:
    page = (ROOT / "docs" / "formats.md").read_text().split("## 9. Reasons")[1]
    page = page.split("\n## ")[0]
    named = {(int(number), slug) for number, slug in re.findall(r"\b(\d+) ([a-z][a-z_]+)\b", page)}
    assert named == {(error["number"], error["slug"]) for error in LISTED}


def test_a_number_finds_its_class_and_every_class_says_what_to_do() -> None:
    assert errors.by_number(11) is errors.NonceTooLowError
    assert issubclass(errors.NonceTooLowError, errors.EnvelopeError)
    assert str(errors.NonceTooLowError("The next one is 7.")).endswith("The next one is 7.")
    assert all(error.hint and error.message for error in errors.all_errors())
    with pytest.raises(KeyError):
        errors.by_number(9_999)

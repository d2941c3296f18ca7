"""Files in tests/vectors say what today's code and eth-account say; Rust reads the same."""

import json
import os
from pathlib import Path

import pytest

from tests.unit.state import format_vectors

FOLDER = Path(__file__).resolve().parents[2] / "vectors"
FILES = format_vectors.files()


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_vector_file_is_up_to_date(name: str) -> None:
    path = FOLDER / name
    if os.environ.get("NOVATION_UPDATE") == "1":
        path.write_text(json.dumps(FILES[name], indent=1) + "\n")
    assert json.loads(path.read_text()) == FILES[name]

"""
The state transition as a RISC-V program: where the committed build of it lies.

Out: paths of the program and of its description.
Not here: building it (`build.py`), running it (`bridge`, tests).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent
ELF: Final = ROOT / "artifacts" / "guest.elf"
MANIFEST: Final = ROOT.parents[1] / "deployments" / "guest.json"

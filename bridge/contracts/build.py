"""
Compile the contracts: `python -m bridge.contracts.build [--check]`.

In:    `src/**/*.sol`, the pinned compiler and library of `package-lock.json` (npm).
Out:   `artifacts/<Name>.json`; with `--check` nothing is written, and a difference is an error.
Holds: nothing.
Not here: reading artifacts (`__init__.py`), deploying.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bridge.contracts import ARTIFACTS

ROOT = Path(__file__).parent
SOURCES = ROOT / "src"
MODULES = ROOT / "node_modules"
COMPILE_SECONDS = 300

# EIP-170: no more deployed code fits into a contract.
MAXIMUM_DEPLOYED_BYTES = 24_576

# What gets an artifact. Interfaces that a contract here implements share its ABI.
CONTRACTS = {
    "Inbox": "src/Inbox.sol",
    "Rollup": "src/Rollup.sol",
    "Vault": "src/Vault.sol",
    "TestUSD": "src/TestUSD.sol",
    "IExchange": "src/interfaces/IExchange.sol",
    "HostileToken": "src/test/HostileToken.sol",
    "Relay": "src/test/Relay.sol",
}

SETTINGS: dict[str, Any] = {
    "viaIR": True,
    "evmVersion": "prague",
    "optimizer": {"enabled": True, "runs": 200},
    # Without these the bytecode would change with every comment.
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}

_IMPORT = re.compile(r'^import\b[^"]*"([^"]+)"', re.MULTILINE)


class BuildError(Exception):
    """The contracts do not compile, or differ from the committed artifacts."""


def build() -> dict[str, str]:
    """Compile everything; return the text of each artifact by contract name."""
    output = _compile(_sources())
    problems = [error["formattedMessage"] for error in output.get("errors", [])]
    if problems:
        raise BuildError("the compiler complains (warnings are errors):\n" + "\n".join(problems))
    version = output["compilerVersion"]
    return {
        name: _artifact(name, path, output["contracts"][path][name], version)
        for name, path in CONTRACTS.items()
    }


def _artifact(name: str, path: str, compiled: dict[str, Any], version: str) -> str:
    deployed_bytes = len(compiled["evm"]["deployedBytecode"]["object"]) // 2
    if deployed_bytes >= MAXIMUM_DEPLOYED_BYTES:
        raise BuildError(f"{name} has {deployed_bytes} bytes; {MAXIMUM_DEPLOYED_BYTES} is too many")
    content = {
        "name": name,
        "source": path,
        "abi": compiled["abi"],
        "bytecode": "0x" + compiled["evm"]["bytecode"]["object"],
        "deployed_bytes": deployed_bytes,
        "source_hash": _source_hash(json.loads(compiled["metadata"])["sources"]),
        "solc": version,
        "settings": SETTINGS,
    }
    return json.dumps(content, indent=1) + "\n"


def _source_hash(sources: dict[str, Any]) -> str:
    """Hash the files that take part in one contract, by path and content."""
    lines = [f"{path} {source['keccak256']}\n" for path, source in sorted(sources.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sources() -> dict[str, Any]:
    """Collect the project's files and every library file that they import, by import path."""
    found: dict[str, Any] = {}
    waiting = [file.relative_to(ROOT).as_posix() for file in sorted(SOURCES.rglob("*.sol"))]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        base = MODULES if path.startswith("@") else ROOT
        text = (base / path).read_text(encoding="utf-8")
        found[path] = {"content": text}
        waiting += [_resolve(path, target) for target in _IMPORT.findall(text)]
    return found


def _resolve(importer: str, target: str) -> str:
    """Give the path of an import as the compiler will ask for it."""
    if not target.startswith("."):
        return target
    parts = importer.split("/")[:-1]
    for step in target.split("/"):
        if step == "..":
            parts.pop()
        elif step != ".":
            parts.append(step)
    return "/".join(parts)


def _compile(sources: dict[str, Any]) -> dict[str, Any]:
    outputs = ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode.object"]
    request = {
        "language": "Solidity",
        "sources": sources,
        "settings": {**SETTINGS, "outputSelection": {"*": {"*": outputs}}},
    }
    answer = subprocess.run(
        [_tool("node"), "compile.js"],
        cwd=ROOT,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=COMPILE_SECONDS,
        check=False,
    )
    if answer.returncode != 0:
        raise BuildError(f"the compiler did not run:\n{answer.stderr}")
    output: dict[str, Any] = json.loads(answer.stdout)
    return output


def _install() -> None:
    """Fetch the pinned packages, unless those that matter are there in the pinned version."""
    if all(_installed(package) for package in ("solc", "@openzeppelin/contracts")):
        return
    command = [_tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    if subprocess.run(command, cwd=ROOT, timeout=COMPILE_SECONDS, check=False).returncode != 0:
        raise BuildError("npm ci failed; its output above says why")


def _installed(package: str) -> bool:
    manifest = MODULES / package / "package.json"
    if not manifest.is_file():
        return False
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    pinned = lock["packages"][f"node_modules/{package}"]["version"]
    present = json.loads(manifest.read_text(encoding="utf-8"))["version"]
    return bool(pinned == present)


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise BuildError(f"{name} is missing: install Node.js 20 or newer (it brings node and npm)")
    return path


def _check(built: dict[str, str]) -> None:
    committed = {file.stem: file.read_text(encoding="utf-8") for file in ARTIFACTS.glob("*.json")}
    names = sorted(built.keys() | committed.keys())
    stale = [name for name in names if built.get(name) != committed.get(name)]
    if stale:
        raise BuildError(
            f"artifacts differ from the sources: {', '.join(stale)}; "
            "run `python -m bridge.contracts.build` and commit the result"
        )


def _write(built: dict[str, str]) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    for file in ARTIFACTS.glob("*.json"):
        if file.stem not in built:
            file.unlink()
    for name, text in built.items():
        (ARTIFACTS / f"{name}.json").write_text(text, encoding="utf-8")


def main() -> int:
    """Build or check, and say which contract has how many bytes."""
    parser = argparse.ArgumentParser(description="compile the L1 contracts")
    parser.add_argument("--check", action="store_true", help="compare with the committed artifacts")
    check: bool = parser.parse_args().check
    try:
        _install()
        built = build()
        if check:
            _check(built)
        else:
            _write(built)
    except BuildError as error:
        print(f"contracts: {error}", file=sys.stderr)
        return 1
    for name, text in built.items():
        print(f"{name:14} {json.loads(text)['deployed_bytes']:6} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

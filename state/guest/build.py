"""
Build the guest: `python -m state.guest.build [--check]`.

In:    `state/stf`, `state/guest`; Debian's rustc-web, cargo-web, rust-web-src and lld.
Out:   `artifacts/guest.elf` (loadable segments only) and `deployments/guest.json`; with `--check`
       nothing is written, and a difference is an error.
Holds: the same sources and compiler give the same image wherever the repository lies.
Not here: what the image means to L1 (docs/formats.md §10).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from state.guest import ELF, MANIFEST, ROOT
from state.guest.image import BadImageError, Image, gate, read_image, write_elf

WORKSPACE = ROOT.parent
# The distribution's, never rustup's: the image depends on the compiler, and CI has this one.
CARGO = Path("/usr/bin/cargo")
RUSTC = Path("/usr/bin/rustc")
LINKER = Path("/usr/bin/ld.lld")
PACKAGES = "apt-get install rustc-web cargo-web rust-web-src lld"
TARGET = "riscv64im-unknown-none-elf"
BUILD_SECONDS = 900
VERSION_SECONDS = 20
# Number of the program on L1; the devnet deploys version 1.
VERSION = 1

Manifest = dict[str, str | int | dict[str, str]]


class BuildError(Exception):
    """The guest cannot be built, breaks a rule, or differs from what is committed."""


def main(arguments: list[str] | None = None) -> int:
    """Build or compare; say in one line what came of it."""
    parser = argparse.ArgumentParser(prog="python -m state.guest.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is committed")
    check = parser.parse_args(arguments).check
    try:
        image = build()
        manifest = describe(image)
        if check:
            compare(image, manifest)
        else:
            store(image, manifest)
    except (BuildError, BadImageError) as error:
        print(f"guest: {error}", file=sys.stderr)
        return 1
    size = f"{len(image.text)} bytes of text, sha256 {image.sha256()}"
    print(f"guest: {'equal to what is committed' if check else 'built'}: {size}")
    return 0


def build(*features: str) -> Image:
    """Compile, look for what must not be in it, and return the loadable image."""
    library = _library()
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": os.environ.get("HOME", "/"),
        "RUSTC": str(RUSTC),
        # The standard library is built from source, which stable compilers refuse otherwise.
        "RUSTC_BOOTSTRAP": "1",
        "RUSTFLAGS": " ".join(_flags(library)),
    }
    target = WORKSPACE / "target" / "guest"
    command = [str(CARGO), "build", "--offline", "--locked", "--quiet"]
    command += ["--package", "novation-guest", "--profile", "guest", "--target", TARGET]
    command += ["--target-dir", str(target), "--features", ",".join(features)]
    command += ["-Zbuild-std=core,alloc,compiler_builtins"]
    command += ["-Zbuild-std-features=compiler-builtins-mem"]
    # The sources of the standard library bring what they depend on: no network.
    command += ["--config", 'source.crates-io.replace-with="library"']
    command += ["--config", f'source.library.directory="{library / "vendor"}"']
    # Symbols are for the gate; what is stored has none.
    command += ["--config", 'profile.guest.strip="none"']
    result = subprocess.run(
        command,
        cwd=WORKSPACE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise BuildError(f"cargo failed:\n{result.stderr.strip()}")
    elf = (target / TARGET / "guest" / "novation-guest").read_bytes()
    gate(elf)
    return read_image(elf)


def describe(image: Image) -> Manifest:
    """What `deployments/guest.json` says of the image."""
    return {
        "version": VERSION,
        "image_keccak256": image.keccak256(),
        "image_sha256": image.sha256(),
        "entry": hex(image.entry),
        "text_bytes": len(image.text),
        "data_bytes": len(image.data),
        "built_with": {
            "rustc": _version(RUSTC),
            "cargo": _version(CARGO),
            "lld": _version(LINKER),
        },
    }


def store(image: Image, manifest: Manifest) -> None:
    """Write the program and its description."""
    for path in (ELF, MANIFEST):
        path.parent.mkdir(parents=True, exist_ok=True)
    ELF.write_bytes(write_elf(image))
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")


def compare(image: Image, manifest: Manifest) -> None:
    """Refuse a build that differs from the committed one."""
    for path in (ELF, MANIFEST):
        if not path.exists():
            raise BuildError(f"{path.relative_to(WORKSPACE.parent)} is missing: make guest")
    committed = json.loads(MANIFEST.read_text())
    if read_image(ELF.read_bytes()).sha256() != committed["image_sha256"]:
        raise BuildError("guest.elf is not the image that guest.json describes: make guest")
    if image.sha256() != committed["image_sha256"]:
        raise BuildError(
            f"the image has sha256 {image.sha256()}, committed is {committed['image_sha256']}; "
            f"built with {manifest['built_with']}, committed with {committed['built_with']}. "
            "With the same compiler: make guest, and commit what it writes"
        )


def _library() -> Path:
    """Sources of the standard library; each tool that is missing is named."""
    for tool in (CARGO, RUSTC, LINKER):
        if shutil.which(str(tool)) is None:
            raise BuildError(f"{tool} is missing: {PACKAGES}")
    sysroot = subprocess.run(
        [str(RUSTC), "--print", "sysroot"],
        capture_output=True,
        text=True,
        check=True,
        timeout=VERSION_SECONDS,
    ).stdout.strip()
    library = Path(sysroot) / "lib" / "rustlib" / "src" / "rust" / "library"
    if not (library / "vendor").is_dir():
        raise BuildError(f"the sources of the standard library are missing: {PACKAGES}")
    return library


def _flags(library: Path) -> list[str]:
    """Compiler flags; none but the remapped prefixes names a folder, so none changes the image."""
    return [
        "-Zunstable-options",
        # A panic is one illegal instruction, without texts.
        "-Cpanic=immediate-abort",
        "-Zlocation-detail=none",
        f"--remap-path-prefix={WORKSPACE}=/novation",
        f"--remap-path-prefix={library.resolve()}=/library",
        f"-Clinker={LINKER}",
        "-Clinker-flavor=ld.lld",
        "-Clink-arg=-Tguest/link.ld",
    ]


def _version(tool: Path) -> str:
    result = subprocess.run(
        [str(tool), "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=VERSION_SECONDS,
    )
    return result.stdout.splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())

"""
Config: every setting of the node, read once and checked once.

In:  command line, environment (`NOVATION_...`), one TOML file, in this order of precedence.
Out: `NodeConfig` (frozen), and where each value came from.

Holds: unknown keys are refused with the nearest name; keys of accounts come from files or secrets
       and are never printed; nobody else reads the environment.
Not here: the command line itself (`sequencer.cli`), addresses on L1 (`bridge.deployment`).
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "NOVATION_"
# Read by the tests, not by the node.
_FOREIGN = {
    "NOVATION_CONFIG",
    "NOVATION_DATA",
    "NOVATION_FLOW_SECONDS",
    "NOVATION_SEED",
    "NOVATION_UPDATE",
    "NOVATION_VALIDATOR_KEY",
}


KEY_BYTES = 32


class ConfigError(Exception):
    """A setting is unknown or wrong; the message names it and says what would do."""


class NodeConfig(BaseSettings):
    """Settings of `novation node`. Each description says why the default is what it is."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`load` has merged the sources already: only what it gives counts."""
        return (init_settings,)

    data_dir: Path = Field(
        Path(".novation/node"), description="journal and state; kept with the place it is run in"
    )
    l1_url: str = Field("http://127.0.0.1:8545", description="JSON-RPC of L1; the devnet's port")
    deployment: Path = Field(
        Path(".novation/devnet/deployment.json"), description="addresses on L1, written by deploy"
    )
    poster_key: SecretStr | None = Field(None, description="posts batches; better poster_key_file")
    poster_key_file: Path | None = Field(None, description="file with the poster's key, hex")
    sequencer_key: SecretStr | None = Field(
        None, description="signs commit groups; better sequencer_key_file"
    )
    sequencer_key_file: Path | None = Field(None, description="file with the sequencer's key, hex")

    rpc_host: str = Field("127.0.0.1", description="loopback: put a proxy in front for others")
    rpc_port: int = Field(9944, ge=0, le=65_535, description="JSON-RPC; 0 = any free port")
    metrics_host: str = Field("127.0.0.1", description="metrics are for the operator only")
    metrics_port: int = Field(9945, ge=0, le=65_535, description="metrics; 0 = any free port")
    ports_file: Path | None = Field(None, description="where the ports really taken are written")

    block_ms: int = Field(100, ge=1, le=10_000, description="a receipt's block waits no longer")
    batch_ms: int = Field(
        1_000, ge=10, le=3_600_000, description="devnet: one L1 block; longer costs less L1 gas"
    )
    batch_bytes: int = Field(
        117_956, ge=10_000, le=117_956, description="what L1 pools take in one transaction"
    )
    verify_threads: int = Field(2, ge=1, le=64, description="threads that recover signers")
    direct_inputs_per_block: int = Field(64, ge=1, le=256, description="bounds one block's work")

    journal_segment_mib: int = Field(64, ge=1, le=4_096, description="one preallocated file")
    journal_retain: Literal["safe", "all"] = Field(
        "safe", description="safe: entries go once their batch is deep on L1; all: for audits"
    )
    store_map_gib: int = Field(16, ge=1, le=4_096, description="address space of the store")

    queue_envelopes: int = Field(
        20_000, ge=100, le=1_000_000, description="about two seconds of work; more only adds delay"
    )
    queue_mib: int = Field(64, ge=1, le=4_096, description="bytes that wait for admission")
    body_mib: int = Field(5, ge=1, le=64, description="largest request")
    body_timeout_s: float = Field(10.0, gt=0, le=300, description="a body must arrive within")
    calls_per_batch: int = Field(1_000, ge=1, le=10_000, description="JSON-RPC calls in one array")
    connections: int = Field(1_000, ge=1, le=100_000, description="WebSockets at once")
    shutdown_s: float = Field(10.0, gt=0, le=600, description="drain within, then stop anyway")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="what an operator wants at 3 a.m."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="console on a terminal, JSON otherwise"
    )

    def key(self, role: Literal["poster", "sequencer"]) -> bytes:
        """
        Read the private key of a role.

        Raises
        ------
        ConfigError
            Neither the key nor its file is given, or it is not 32 bytes of hex.
        """
        given: SecretStr | None = getattr(self, f"{role}_key")
        path: Path | None = getattr(self, f"{role}_key_file")
        if given is not None:
            text = given.get_secret_value()
        elif path is not None:
            try:
                text = path.read_text(encoding="ascii")
            except OSError as exc:
                raise ConfigError(f"{role}_key_file: {exc}") from exc
        else:
            raise ConfigError(f"{role}_key_file is missing: give a file with 32 bytes of hex")
        try:
            key = bytes.fromhex(text.strip().removeprefix("0x"))
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise ConfigError(f"{role}_key: 32 bytes of hex are needed")
        return key


def load(
    *, file: Path | None = None, options: dict[str, Any] | None = None
) -> tuple[NodeConfig, dict[str, str]]:
    """
    Merge the sources and check them.

    Parameters
    ----------
    file :
        TOML file; else `NOVATION_CONFIG`, else none.
    options :
        From the command line; None values count as not given.

    Returns
    -------
    config, origins :
        The settings, and for each name `default`, `file`, `environment` or `command line`.

    Raises
    ------
    ConfigError
        A key is unknown, a value is wrong, or the file cannot be read.
    """
    given = os.environ.get(f"{PREFIX}CONFIG")
    path = file or (Path(given) if given else None)
    values: dict[str, Any] = {}
    origins = dict.fromkeys(NodeConfig.model_fields, "default")
    for origin, source in (
        ("file", _from_file(path)),
        ("environment", _from_environment()),
        ("command line", {k: v for k, v in (options or {}).items() if v is not None}),
    ):
        for name, value in source.items():
            if name not in NodeConfig.model_fields:
                raise ConfigError(f"{origin}: unknown setting {name!r}{_nearest(name)}")
            values[name] = value
            origins[name] = origin
    try:
        return NodeConfig(**values), origins
    except ValidationError as exc:
        first = exc.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{origins.get(name, '?')}: {name}: {first['msg']}") from exc


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"configuration file {path}: {exc}") from exc
    return content


def _from_environment() -> dict[str, str]:
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and name not in _FOREIGN
    }


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, NodeConfig.model_fields, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else "; see `novation config show`"

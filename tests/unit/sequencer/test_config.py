"""Configuration: three sources, one order of precedence, nothing unknown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sequencer.cli import app
from sequencer.config import ConfigError, load

KEY = "11" * 32


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOVATION_RPC_PORT", "NOVATION_BATCH_MS", "NOVATION_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def toml(folder: Path, text: str) -> Path:
    path = folder / "node.toml"
    path.write_text(text)
    return path


def test_the_command_line_wins_over_the_environment_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = toml(tmp_path, "rpc_port = 1\nbatch_ms = 100\nblock_ms = 7\n")
    monkeypatch.setenv("NOVATION_RPC_PORT", "2")
    monkeypatch.setenv("NOVATION_BATCH_MS", "200")

    config, origins = load(file=file, options={"rpc_port": 3, "metrics_port": None})

    assert (config.rpc_port, config.batch_ms, config.block_ms) == (3, 200, 7)
    assert (origins["rpc_port"], origins["batch_ms"]) == ("command line", "environment")
    assert (origins["block_ms"], origins["metrics_port"]) == ("file", "default")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rpc_prot = 1", "unknown setting 'rpc_prot'; did you mean 'rpc_port'?"),
        ("zzz = 1", "unknown setting 'zzz'; see `novation config show`"),
        ("rpc_port = 70000", "rpc_port: Input should be less than or equal to 65535"),
        ("rpc_port = [", "configuration file"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(file=toml(tmp_path, text))
    assert message in str(caught.value)


def test_unknown_variables_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVATION_BLOCKMS", "1")

    with pytest.raises(ConfigError, match="did you mean 'block_ms'"):
        load()


def test_a_key_comes_from_its_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"0x{KEY}\n")
    config, _ = load(options={"poster_key_file": tmp_path / "key", "sequencer_key": KEY})

    assert config.key("poster") == config.key("sequencer") == bytes.fromhex(KEY)
    assert KEY not in repr(config)
    with pytest.raises(ConfigError, match="32 bytes of hex"):
        load(options={"poster_key": "0x12"})[0].key("poster")
    with pytest.raises(ConfigError, match="poster_key_file is missing"):
        load()[0].key("poster")


def test_config_show_prints_values_with_origins_and_hides_keys(tmp_path: Path) -> None:
    file = toml(tmp_path, f'sequencer_key = "{KEY}"\nbatch_ms = 500\n')

    shown = CliRunner().invoke(app, ["config", "show", "--config", str(file), "--json"])

    rows = json.loads(shown.stdout)
    assert rows["batch_ms"] == {"value": 500, "origin": "file"}
    assert rows["sequencer_key"]["value"] == "(hidden)"


def test_a_wrong_setting_ends_the_command_with_2() -> None:
    result = CliRunner().invoke(app, ["node", "--set", "rpc_prot=1"])

    assert result.exit_code == 2
    assert "did you mean 'rpc_port'" in result.output

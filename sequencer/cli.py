"""
The command line: `novation`.

In:  arguments, environment, a TOML file.
Out: an exit code.

Exit codes: 0 done; 1 something asked for failed; 2 wrong arguments or configuration; 3 the node
could not go on and has kept its data; 130 ended by a second Ctrl-C.

Holds: each command imports what it needs when it runs, so `--help` and a node start at once.
Not here: what the commands do.
"""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs: see "Holds"

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="novation",
    help="Layer-two optimistic rollup for derivatives.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="The configuration in effect.", no_args_is_help=True)
app.add_typer(config_app, name="config")

EXIT_FAILED = 1
EXIT_USAGE = 2

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="TOML file; also NOVATION_CONFIG.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from state._native import version as native_version

    number = native_version()
    typer.echo(json.dumps({"version": number}) if as_json else f"novation {number}")


@app.command()
def node(  # noqa: PLR0913, PLR0917 - one argument per option
    config: ConfigFile = None,
    data_dir: Annotated[Path | None, typer.Option(help="Journal and state.")] = None,
    l1_url: Annotated[str | None, typer.Option(help="JSON-RPC of L1.")] = None,
    deployment: Annotated[Path | None, typer.Option(help="Addresses on L1.")] = None,
    poster_key_file: Annotated[Path | None, typer.Option(help="Key that posts batches.")] = None,
    sequencer_key_file: Annotated[Path | None, typer.Option(help="Key that signs.")] = None,
    rpc_host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    rpc_port: Annotated[int | None, typer.Option(help="JSON-RPC port; 0 = any.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Metrics port; 0 = any.")] = None,
    ports_file: Annotated[Path | None, typer.Option(help="Write the ports there.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning, error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, console, json.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other setting, as name=value; see `config show`."),
    ] = None,
) -> None:
    """Run a sequencer node. Ctrl-C drains it."""
    options: dict[str, Any] = dict(
        data_dir=data_dir,
        l1_url=l1_url,
        deployment=deployment,
        poster_key_file=poster_key_file,
        sequencer_key_file=sequencer_key_file,
        rpc_host=rpc_host,
        rpc_port=rpc_port,
        metrics_port=metrics_port,
        ports_file=ports_file,
        log_level=log_level,
        log_format=log_format,
    )
    for each in option or []:
        name, equals, value = each.partition("=")
        if not equals:
            _usage(f"--set {each}: give name=value")
        options[name.strip()] = value
    settings = _load(config, options)[0]
    from sequencer.service import run

    raise typer.Exit(_guard(lambda: run(settings)))


_PASSES_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=_PASSES_ON, add_help_option=False)
def validator(context: typer.Context) -> None:
    """Follow L1, re-execute, compare, propose."""
    from bridge import validator as command

    raise typer.Exit(_guard(lambda: command.main(context.args)))


@app.command(context_settings=_PASSES_ON, add_help_option=False)
def devnet(context: typer.Context) -> None:
    """Run a complete local rollup until Ctrl-C."""
    from sequencer.devnet_command import devnet as command

    _run_typer("novation devnet", command, context.args)


@app.command(context_settings=_PASSES_ON, add_help_option=False)
def flow(context: typer.Context) -> None:
    """Send recorded order flow through a rollup and measure it."""
    from sequencer.flow.command import flow as command

    _run_typer("novation flow", command, context.args)


@app.command(context_settings=_PASSES_ON, add_help_option=False)
def oracle(context: typer.Context) -> None:
    """Sign and send price reports read from standard input."""
    from sequencer.oracle_command import oracle as command

    _run_typer("novation oracle", command, context.args)


def _run_typer(name: str, command: Any, arguments: list[str]) -> None:
    """Run a command whose options are declared elsewhere, where its imports are."""
    one = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    one.command()(command)
    one(args=arguments, prog_name=name)


@config_app.command("show")
def config_show(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Print every setting of the node, and where its value comes from."""
    settings, origins = _load(config, {})
    rows = {
        name: {
            "value": "(hidden)" if name.endswith("_key") and value is not None else _plain(value),
            "origin": origins[name],
        }
        for name, value in ((each, getattr(settings, each)) for each in origins)
    }
    if as_json:
        typer.echo(json.dumps(rows))
        return
    width = max(map(len, rows))
    for name, row in rows.items():
        description = type(settings).model_fields[name].description
        typer.echo(f"{name:{width}}  {row['value']!s:32}  {row['origin']:12}  {description}")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _load(file: Path | None, options: dict[str, Any]) -> tuple[Any, dict[str, str]]:
    from sequencer.config import ConfigError, load

    try:
        return load(file=file, options=options)
    except ConfigError as exc:
        _usage(str(exc))
        raise AssertionError from exc


def _usage(text: str) -> None:
    typer.echo(f"novation: {text}", err=True)
    raise typer.Exit(EXIT_USAGE)


def _guard(command: Any) -> int:
    """Run a command; what a person can mend becomes one line."""
    from bridge.errors import BridgeError
    from sequencer.config import ConfigError
    from sequencer.core import NodeError
    from sequencer.segments import JournalError
    from state.store import StoreError

    try:
        return int(command() or 0)
    except (ConfigError, BridgeError, NodeError, StoreError, JournalError, OSError) as exc:
        typer.echo(f"novation: {exc}", err=True)
        return EXIT_USAGE if isinstance(exc, ConfigError) else EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except asyncio.CancelledError:
        return EXIT_FAILED


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()

"""What must be listed in one place is, and the list has nothing that nobody uses."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from pathlib import Path
from types import ModuleType

import prometheus_client
import pytest

from bridge import metrics as bridge_metrics
from sequencer import metrics as sequencer_metrics
from sequencer.rpc import errors as rpc_errors
from state import _native
from state import errors as protocol
from tests.conftest import ROOT
from tests.style.sources import files, text, tree

METRIC = re.compile(r"(?:state|bridge|sequencer)(?:_[a-z][a-z0-9]*)+")
VECTORS = sorted((ROOT / "tests" / "vectors").iterdir())


def test_every_reason_has_a_row_in_the_table_of_the_rpc() -> None:
    reasons = protocol.all_errors()
    assert {reason.number for reason in reasons} == rpc_errors.ROWS.keys()
    assert {*_concrete(protocol.ProtocolError)} == set(reasons)
    for reason in reasons:
        error = rpc_errors.refused(rpc_errors.Refused(reason.number))
        assert error.code in (rpc_errors.INVALID_INPUT, rpc_errors.REJECTED)
        assert error.message, reason
        assert error.data["reason"] == reason.slug
        assert error.data["hint"], reason


def test_the_table_of_the_rpc_has_no_row_of_an_unknown_reason() -> None:
    assert not rpc_errors._ROWS.keys() - {reason.slug for reason in protocol.all_errors()}


def test_every_reason_is_given_by_the_transition_or_the_node() -> None:
    sources = [
        text(path)
        for path in files(".rs", under="state/stf/src/")
        if not path.endswith("/error.rs")
    ]
    used = set(re.findall(r"\bReject::(\w+)", "".join(sources)))
    node = "".join(text(path) for path in files(".py", under="sequencer/"))
    used |= {
        each.__name__.removesuffix("Error")
        for each in _concrete(protocol.NodeError)
        if each.__name__ in node
    }
    names = {reason.__name__.removesuffix("Error") for reason in protocol.all_errors()}
    assert names == used


def _concrete(base: type[protocol.ProtocolError]) -> set[type[protocol.ProtocolError]]:
    """All classes below `base` that have a number."""
    found = set()
    for each in base.__subclasses__():
        found |= _concrete(each) | ({each} if each.number else set())
    return found


@pytest.mark.parametrize("module", [bridge_metrics, sequencer_metrics])
def test_metrics_are_named_by_the_rule(module: ModuleType) -> None:
    declared = list(module.REGISTRY.collect())
    assert declared
    for family in declared:
        assert METRIC.fullmatch(family.name), family.name
        assert family.documentation, family.name
        if module is bridge_metrics:
            assert family.name.startswith("bridge_")
        # Base units; the client library itself puts `_total` behind counters.
        assert not re.search(r"_(?:ms|us|kb|mb|mib|percent|rate)$", family.name), family.name


def test_metrics_are_declared_in_one_file_of_each_package() -> None:
    kinds = {
        name
        for name in ("Counter", "Gauge", "Histogram", "Summary", "Info", "Enum")
        if hasattr(prometheus_client, name)
    }
    found = set()
    for path in files(".py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and node.module == "prometheus_client":
                found |= {path} if kinds & {each.name for each in node.names} else set()
    assert found == {"bridge/metrics.py", "sequencer/metrics.py"}


def _with_all() -> list[str]:
    names = []
    for path in files(".py"):
        for node in tree(path).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names.append(path)
    return names


@pytest.mark.parametrize("path", _with_all())
def test_an_export_list_is_complete(path: str) -> None:
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    module = importlib.import_module(name)
    listed: list[str] = module.__all__
    assert len(listed) == len(set(listed))
    assert not [each for each in listed if not hasattr(module, each)]
    own = {
        each
        for each, value in vars(module).items()
        if not each.startswith("_")
        and (path.endswith("/__init__.py") or getattr(value, "__module__", None) == name)
        and not inspect.ismodule(value)
        and (inspect.isclass(value) or inspect.isfunction(value))
    }
    assert not own - set(listed)


def test_the_stub_of_the_native_core_lists_what_is_there() -> None:
    (listed,) = (
        ast.literal_eval(node.value)
        for node in tree("state/_native.pyi").body
        if isinstance(node, ast.Assign)
    )
    assert set(listed) == {name for name in vars(_native) if not name.startswith("_")}


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.name)
def test_vectors_are_read_in_more_than_one_language(path: Path) -> None:
    assert path.suffix == ".json", "vectors are JSON, which every language reads"
    named = re.compile(rf'"{re.escape(path.name)}"|/{re.escape(path.name)}`')
    readers = [each for each in files(".py", ".rs") if named.search(text(each))]
    languages = {each.rpartition(".")[2] for each in readers}
    assert languages == {"py", "rs"}, readers

    # Every part of a file is asked for by name, in the code that reads it or beside it.
    folders = {each.rpartition("/")[0] for each in readers}
    beside = [each for each in files(".py", ".rs") if each.rpartition("/")[0] in folders]
    code = "".join(text(each) for each in beside)
    content = json.loads(path.read_text())
    unread = [key for key in content if key != "note" and f'"{key}"' not in code]
    assert not unread
    assert all(content.values()), "an empty part tests nothing"

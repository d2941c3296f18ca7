# Novation. Each target sets up what it needs; `make help` lists them.

VENV   := .venv
PY     := $(VENV)/bin/python
DEPS   := $(VENV)/.stamp-deps
NATIVE := $(VENV)/.stamp-native
DEV    := $(VENV)/.stamp-dev
PIP    := $(PY) -m pip --disable-pip-version-check install -qq -c constraints.txt
CARGO  ?= cargo
RUST_MINOR := 95

# What the native modules are made of: a change in any of them rebuilds, and nothing else does.
RUST_SOURCES := Cargo.toml Cargo.lock state/Cargo.toml $(shell \
	find state/stf state/native bridge/riscv \( -name target -o -name __pycache__ \) -prune \
	-o \( -name '*.rs' -o -name Cargo.toml -o -name build.rs \) -print 2>/dev/null)

# cargo and PyO3 must see one and the same Python, or each call builds everything anew.
export PYO3_PYTHON := $(CURDIR)/$(PY)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup devnet test lint bench contracts guest clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(NATIVE) ## virtual environment, pinned dependencies, native core

devnet: setup ## run a complete local rollup
	@$(VENV)/bin/novation devnet

test: setup ## all tests, Rust and Python
	$(CARGO) test -q --locked --release --manifest-path state/Cargo.toml -p novation-stf
	$(PY) -m pytest

lint: $(DEV) ## formatters, linters, types, import rules
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --strict state bridge sequencer
	$(VENV)/bin/lint-imports
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path state/Cargo.toml -p novation-stf -p novation-guest
	$(CARGO) clippy -q --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy -q --locked --manifest-path state/Cargo.toml --all-targets -- -D warnings
	@if command -v node >/dev/null 2>&1; then \
		echo "$(PY) -m bridge.contracts.build --check"; $(PY) -m bridge.contracts.build --check; \
	else echo "lint: contracts not compared with their artifacts, because node is not installed"; fi

bench: setup ## throughput, latency, commit, proof
	$(PY) -m tests.bench

contracts: setup ## rebuild the contract artifacts (needs Node.js)
	$(PY) -m bridge.contracts.build

guest: setup ## rebuild the RISC-V guest (needs rustc-web); GUEST_FLAGS=--check compares only
	$(PY) -m state.guest.build $(GUEST_FLAGS)

clean: ## remove everything that was built, the virtual environment too
	rm -rf $(VENV) target state/target build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find state bridge sequencer tests -name __pycache__ -type d -prune -exec rm -rf {} +
	find state bridge \( -name '_native*.so' -o -name '_native*.pyd' \) -exec rm -f {} +

# Each tool that is missing gives one line, and the build stops.
define REQUIRE
set -e; missing() { echo "setup: $$1" >&2; exit 1; }; \
python=; for each in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14; do \
	if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then python=$$each; break; fi; done; \
[ -n "$$python" ] || missing "Python 3.11 or newer is missing: apt-get install python3, or brew install python"; \
$$python -c 'import venv, ensurepip' >/dev/null 2>&1 || \
	missing "the Python module venv is missing: apt-get install python3-venv"; \
command -v $(CARGO) >/dev/null 2>&1 || \
	missing "cargo (Rust) is missing: see https://rustup.rs, or brew install rust"; \
$(CARGO) --version | awk '{split($$2, v, "."); exit !(v[1] > 1 || v[2] >= $(RUST_MINOR))}' || \
	missing "Rust 1.$(RUST_MINOR) or newer is needed: rustup update stable"; \
command -v cc >/dev/null 2>&1 || \
	missing "a C compiler (cc) is missing: apt-get install gcc libc6-dev, or xcode-select --install"
endef

$(DEPS): pyproject.toml constraints.txt
	@$(REQUIRE); \
	[ -x $(PY) ] || { echo "setup: virtual environment in $(VENV)"; $$python -m venv $(VENV); }; \
	echo "setup: pinned dependencies"; \
	$(PIP) pip setuptools wheel setuptools-rust; \
	echo "setup: native core and Python packages"; \
	$(PIP) --no-build-isolation -e '.[test]'
	@touch $@ $(NATIVE)

# The rule above has just built the modules where it ran; then nothing is newer than the stamp.
$(NATIVE): $(RUST_SOURCES) | $(DEPS)
	@[ -e $@ ] && [ -z "$$(find $(RUST_SOURCES) -newer $@)" ] && exit 0; \
	$(REQUIRE); \
	echo "setup: native core"; \
	$(PIP) --no-build-isolation --no-deps -e .
	@touch $@

$(DEV): $(DEPS) $(NATIVE)
	@echo "setup: tools for lint"
	@$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@

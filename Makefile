# Every target works from a fresh clone: the first one that runs makes .venv.
# Needs make, and Python 3.10 or later under any usual name (or PYTHON=/path/to/python).

.DEFAULT_GOAL := help
SHELL := /bin/sh

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PY := $(BIN)/python
READY := .venv/ready

# The first interpreter that is new enough. A name may exist and still not run (version managers
# put such shims on PATH), hence the question to each.
CANDIDATES := python3 python python3.14 python3.13 python3.12 python3.11 python3.10
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 10))
PYTHON ?= $(firstword $(foreach name,$(CANDIDATES),$(shell $(name) -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && echo $(name))))

# Options for pytest, as in: make test PYTEST="-k binding -x"
PYTEST ?=
WORKERS ?= 2
# How many cases both engines judge in `make conformance`.
CASES ?= 21000
# How long `make fuzz` stays with each harness, and how many times more cases properties get.
SECONDS ?= 60
TIMES ?= 5

.PHONY: help
help:
	@echo "make demo         the whole story, offline, in a temporary directory"
	@echo "make test         lint, types, and the tests with coverage"
	@echo "make lint         lint and types only"
	@echo "make matrix       the integration tests over all pips and Pythons found here"
	@echo "make conformance  against the reference implementation, thousands of random cases included"
	@echo "make fuzz         properties and coverage-guided fuzzing, SECONDS=60 for each harness"
	@echo "make bench        what gate, engine and recording cost"
	@echo "make docs         the documentation's own checks"

# pip 25.1 is the first that knows dependency groups; older Pythons bring older ones.
$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.10 or later found; say PYTHON=/path/to/python" >&2; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(PY) -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@echo "Made by make; remove it to have the environment brought up to date." > $@

.PHONY: demo
demo: $(READY)
	@$(PY) -m pip_intoto demo

.PHONY: lint
lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

.PHONY: test
test: lint
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest -n $(WORKERS) --dist worksteal $(PYTEST)
	@# Processes that tests kill leave files without content.
	@find . -maxdepth 1 -name '.coverage.*' -size 0 -delete
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

.PHONY: matrix
matrix: $(READY)
	$(PY) -m pytest -n $(WORKERS) --dist worksteal -m matrix $(PYTEST)

.PHONY: conformance
conformance: $(READY)
	DIFFERENTIAL_CASES=$(CASES) $(PY) -m pytest -n $(WORKERS) --dist worksteal tests/conformance $(PYTEST)

.PHONY: fuzz
fuzz: $(READY)
	@$(PY) -m pip install --quiet --disable-pip-version-check --group fuzz || { \
		echo "atheris cannot be installed for this Python; it has wheels for few versions of it:" \
			"say PYTHON=/path/to/another, in a tree without .venv" >&2; exit 1; }
	PROPERTY_TIMES=$(TIMES) $(PY) -m pytest -n $(WORKERS) tests/properties $(PYTEST)
	$(PY) -m tests.fuzz --seconds $(SECONDS)

.PHONY: bench
bench: $(READY)
	$(PY) -m tests.benchmarks

.PHONY: docs
docs: $(READY)
	$(PY) -m pytest tests/documentation $(PYTEST)

# The one list of commands; CI calls only these.
.DEFAULT_GOAL := help
.PHONY: help init demo test lint format bench fuzz wheel installed docs pages translations migration lock clean

# The newest Python that is there; pyenv hides all but one.
PYTHON ?= $(shell for python in python3.13 $(lastword $(sort $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13))) \
  python3.12 python3.11 python3; do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
VENV := .venv
BIN := $(VENV)/bin

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

init: $(VENV)/.ready ## create .venv with everything; `passerelle` is then .venv/bin/passerelle

$(VENV)/.ready: requirements/dev.txt requirements/docs.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Passerelle needs Python 3.11 or newer; install it, or name it: make init PYTHON=…"; exit 1; }
	@echo "Installing everything into $(VENV) with $(PYTHON): about a minute."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements/dev.txt -r requirements/docs.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: init ## everything on https://*.localhost:8443 without Docker; Ctrl-C ends it
	@$(BIN)/python demo/run.py

test: init ## every test that this machine can run; says at the end what it left out
	@$(BIN)/python -m pytest -n 2 $(TESTS)

lint: init ## format, lint, types, and which room may import which
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: init ## let ruff mend what it can
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

bench: init ## what a sign-in costs the bridge: a table, and bench.json
	@$(BIN)/python -m tests.bench

fuzz: init ## what strangers send, made up by a machine: 5 minutes for each parser and for the logout endpoint
	@$(BIN)/python -m tests.fuzz --seconds 300

wheel: init ## dist/passerelle-….whl, the same file whoever builds it
	@rm -f dist/passerelle-*.whl
	@$(BIN)/python -m hatchling build --target wheel

# make test TESTED_PASSERELLE=$PWD/.venv/installed/bin/passerelle: every bridge that listens in a test is that one.
installed: wheel ## the wheel in an environment of its own, .venv/installed
	@$(PYTHON) -m venv --clear $(VENV)/installed
	@$(VENV)/installed/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bridge.txt
	@$(VENV)/installed/bin/pip install --quiet --disable-pip-version-check --no-deps dist/passerelle-*.whl

docs: pages ## the site of the documentation, into build/docs
	@rm -rf build/docs
	@$(BIN)/python -m sphinx -q -b html --fresh-env --fail-on-warning -c docs/website -d build/doctrees . build/docs
	@echo "The site is in build/docs: open build/docs/index.html."

pages: init ## write the pages that come from the code again
	@$(BIN)/python -m docs._generate.settings
	@$(BIN)/python -m docs._generate.recipes
	@$(BIN)/python -m tests.conformance.page
	@$(BIN)/python -m docs._generate.cli
	@$(BIN)/python -m docs._generate.conformance
	@$(BIN)/python -m docs._generate.tested_clients

translations: init ## gather the texts of the pages and compile the catalogues
	@$(BIN)/pybabel -q extract -F babel.cfg -k gettext_noop -k Message --no-location --omit-header -w 100 -o $(VENV)/messages.pot .
	@$(BIN)/pybabel -q update -i $(VENV)/messages.pot -d passerelle_common/translations -w 100 --no-fuzzy-matching \
	  --ignore-obsolete --ignore-pot-creation-date
	@$(BIN)/pybabel -q compile -d passerelle_common/translations

migration: init ## write the migration for a changed schema: make migration m="what changes"
	@$(BIN)/python -m bridge.store.migrations "$(m)"
	@$(BIN)/ruff format --quiet bridge/store/migrations/versions

lock: init ## pin every requirement again, with hashes and without a registry's address
	@cd requirements && for set in dev docs bridge build hub lab lab-tools cas synapse; do \
	  case $$set in dev) in="../pyproject.toml dev.in";; bridge) in=../pyproject.toml;; *) in=$$set.in;; esac; \
	  test $$set = dev || constraint="-c dev.txt"; \
	  test $$set = lab-tools && deps=--no-deps || deps=; \
	  ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    $$deps --no-annotate --custom-compile-command "make lock" $$constraint $$in -o $$set.txt || exit 1; \
	done

clean: ## remove what make init and the tests left
	@rm -rf $(VENV) build test-artifacts bench.json .mypy_cache .ruff_cache .pytest_cache .hypothesis

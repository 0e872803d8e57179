# All development commands; CI calls only these.
.DEFAULT_GOAL := help
.PHONY: help init demo test test-quick lint format bench fuzz wheel installed docs pages translations migration lock clean

# The newest installed Python; pyenv exposes only one.
PYTHON ?= $(shell for python in python3.13 $(lastword $(sort $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13))) \
  python3.12 python3.11 python3; do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
# On all cores, whereas pip uses one. Like pip, ignore files that are for another version of Python.
COMPILE := -W ignore -m compileall -qq -j 0

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 13

init: $(VENV)/.ready ## create .venv with all dependencies; the program is .venv/bin/passerelle

$(VENV)/.ready: requirements/dev.txt requirements/docs.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Passerelle needs Python 3.11 or newer; install it, or select one: make init PYTHON=…"; exit 1; }
	@echo "Installing all dependencies into $(VENV) with $(PYTHON): about a minute."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes \
	  -r requirements/dev.txt -r requirements/docs.txt
	@# As in the images: this optional checker of jsonschema compiles a grammar at every start of a hub or a lab.
	@$(BIN)/python -m pip uninstall --yes --quiet --disable-pip-version-check rfc3987-syntax
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python $(COMPILE) $(VENV)/lib || true
	@touch $@

demo: init ## run the demo on https://*.localhost:8443 without Docker; Ctrl-C stops it
	@$(BIN)/python demo/run.py

test: init ## run every test that this machine supports; list the skipped ones at the end
	@$(BIN)/python -m pytest -n 4 $(TESTS)

test-quick: init ## run the tests without containers, browsers and third-party servers: about three minutes
	@$(BIN)/python -m pytest -n 3 tests/unit tests/contract tests/http

lint: init ## format, lint, types and import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: init ## format the code and apply automatic fixes
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

bench: init ## measure the cost of a sign-in; print a table and write bench.json
	@$(BIN)/python -m tests.bench

fuzz: init ## fuzz each parser and the logout endpoint, 5 minutes each
	@$(BIN)/python -m tests.fuzz --seconds 300

wheel: init ## build dist/passerelle-….whl reproducibly
	@rm -f dist/passerelle-*.whl
	@$(BIN)/python -m hatchling build --target wheel

# make test TESTED_PASSERELLE=$PWD/.venv/installed/bin/passerelle runs every bridge process of the tests from the wheel.
installed: wheel ## install the wheel into a separate environment, .venv/installed
	@$(PYTHON) -m venv --clear $(VENV)/installed
	@$(VENV)/installed/bin/pip install --quiet --no-compile --disable-pip-version-check --require-hashes \
	  -r requirements/bridge.txt
	@$(VENV)/installed/bin/pip install --quiet --no-compile --disable-pip-version-check --no-deps dist/passerelle-*.whl
	@$(VENV)/installed/bin/python $(COMPILE) $(VENV)/installed/lib || true

docs: pages ## build the documentation site in build/docs
	@rm -rf build/docs
	@$(BIN)/python -m sphinx -q -b html --fresh-env --fail-on-warning -c docs/website -d build/doctrees . build/docs
	@echo "Documentation site: build/docs/index.html"

pages: init ## regenerate the documentation pages that are generated from code
	@$(BIN)/python -m docs._generate.settings
	@$(BIN)/python -m docs._generate.recipes
	@$(BIN)/python -m tests.conformance.page
	@$(BIN)/python -m docs._generate.cli
	@$(BIN)/python -m docs._generate.conformance
	@$(BIN)/python -m docs._generate.tested_clients
	@$(BIN)/python -m docs._generate.cas_servers

translations: init ## extract translatable texts and compile the catalogues
	@$(BIN)/pybabel -q extract -F babel.cfg -k gettext_noop -k Message --no-location --omit-header -w 100 -o $(VENV)/messages.pot .
	@$(BIN)/pybabel -q update -i $(VENV)/messages.pot -d passerelle_common/translations -w 100 --no-fuzzy-matching \
	  --ignore-obsolete --ignore-pot-creation-date
	@$(BIN)/pybabel -q compile -d passerelle_common/translations

migration: init ## create the migration for a changed schema: make migration m="add a column"
	@$(BIN)/python -m bridge.store.migrations "$(m)"
	@$(BIN)/ruff format --quiet bridge/store/migrations/versions

lock: init ## update all locked requirements, with hashes
	@cd requirements && for set in dev docs bridge build hub lab lab-tools cas synapse; do \
	  case $$set in dev) in="../pyproject.toml dev.in";; bridge) in=../pyproject.toml;; *) in=$$set.in;; esac; \
	  test $$set = dev || constraint="-c dev.txt"; \
	  test $$set = lab-tools && deps=--no-deps || deps=; \
	  ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    $$deps --no-annotate --custom-compile-command "make lock" $$constraint $$in -o $$set.txt || exit 1; \
	done

clean: ## remove the environment, builds and caches
	@rm -rf $(VENV) build test-artifacts bench.json .mypy_cache .ruff_cache .pytest_cache .hypothesis

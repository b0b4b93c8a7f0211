# Two commands matter: `make demo` and `make test`. Each sets up everything it needs in .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
CONSTRAINTS := .ci/constraints.txt
CODE := conftest.py sesam_connector_sdk tests benchmarks docs examples/demo.py
# Also from an example's own folder, whose configuration its tests run with.
COVERAGE := COVERAGE_FILE=$(CURDIR)/.coverage $(CURDIR)/$(BIN)/coverage run --rcfile=$(CURDIR)/pyproject.toml
EXAMPLES := examples/service_bus_emulator examples/azure_service_bus_sink examples/sql examples/schema_router
PROJECTS := . $(EXAMPLES)

.DEFAULT_GOAL := help
.PHONY: help setup postgres demo demo-up test lint docs image-test soak bench bench-quick wheel wheels lock clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: .venv/.installed  ## make .venv with everything in it

.venv/.installed: $(PROJECTS:%=%/pyproject.toml) $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) \
		-e '.[dev]' $(EXAMPLES:%=-e %)
	touch $@

postgres:  ## install PostgreSQL, which the SQL example is tested on beside SQLite
	if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql; \
	else echo "Install PostgreSQL's server, such as Debian's package postgresql."; exit 1; fi

demo: setup  ## push the example's pipe through the Service Bus sink, and read the queue back
	$(BIN)/python examples/demo.py

demo-up: setup  ## the same, left running to play with; Ctrl-C ends it
	$(BIN)/python examples/demo.py --keep-running

test: lint docs  ## every check and every test, in under ten minutes
	rm -f .coverage .coverage.*
	$(COVERAGE) -m pytest
	for example in $(EXAMPLES); do (cd $$example && $(COVERAGE) -m pytest --confcutdir=$(CURDIR)) || exit 1; done
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: setup  ## style, types, and the rooms' one-way doors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(CODE)
	for example in $(EXAMPLES); do (cd $$example && $(CURDIR)/$(BIN)/mypy) || exit 1; done
	$(BIN)/lint-imports

docs: setup  ## build docs/ strictly into build/docs
	$(BIN)/sphinx-build -q -n -W --keep-going -b html docs build/docs

image-test: setup  ## build the images of the example and the template, and try them in the box that a node gives
	$(BIN)/python -m pytest -m image -rA tests/image

soak: setup  ## replace replicas behind nginx under load, and look at what arrived, in about two minutes
	.ci/nginx
	$(BIN)/python -m pytest -m soak -rA tests/soak

bench: setup  ## measure, print a table, write build/bench.json
	$(BIN)/python benchmarks/run.py

bench-quick: setup  ## the same with rough figures, in about two minutes
	$(BIN)/python benchmarks/run.py --quick

wheel: setup  ## build the SDK's wheel into dist/
	$(BIN)/python -m build --wheel --outdir dist .

wheels: setup  ## put the wheels that each example needs into its wheels/
	for folder in examples/*/wheels; do $(BIN)/python -m build --wheel --outdir $$folder . || exit 1; done
	$(BIN)/python -m build --wheel --outdir examples/azure_service_bus_sink/wheels examples/service_bus_emulator

lock: setup  ## write down the versions that the tests have passed with
	$(BIN)/python -m pip freeze --exclude-editable | grep -v ' @ ' > $(CONSTRAINTS)

clean:  ## remove what the other commands made
	rm -rf .venv build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis

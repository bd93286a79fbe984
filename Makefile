# Every target makes what it needs. `make demo` and `make test` are the two to know.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

CORES := -n 3 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test quick lint bench bench-serving bench-api soak clean lock images contract mutation test-aws

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

demo: $(VENV)/runtime  ## from a table to a REST answer, on this machine
	@$(BIN)/python examples/customer_churn/demo.py

test: $(VENV)/dev  ## every test
	@$(BIN)/python -m pytest $(CORES)

quick: $(VENV)/dev  ## the tests that take seconds
	@$(BIN)/python -m pytest $(CORES) -m "not slow"

lint: $(VENV)/dev  ## style, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/dev  ## the figures in the README
	@$(BIN)/python -m benchmarks

images:  ## the images, by docker, podman or IMAGE_BUILDER; FLAVORS="lightgbm" builds another model image
	@images/build
	@[ -n "$(FLAVORS)" ] || images/build gateway

bench-serving: $(VENV)/dev  ## the model server against what one writes first (needs wrk)
	@$(BIN)/python -m benchmarks.serving
	@$(BIN)/python -m benchmarks.picture

bench-api: $(VENV)/dev  ## one record over the REST API against its parts, and during a deployment
	@$(BIN)/python -m benchmarks.api
	@$(BIN)/python -m benchmarks.picture

SECONDS ?= 300
soak: $(VENV)/dev  ## good and bad requests for SECONDS (300) against the model server
	@$(BIN)/python -m benchmarks.soak --seconds $(SECONDS)

contract: $(VENV)/runtime  ## SageMaker's contract, checked on the program and on the image
	@$(BIN)/boostline contract-test --project examples/customer_churn -- $(BIN)/boostline-container
	@$(BIN)/boostline contract-test --project examples/customer_churn \
	  boostline-model:$$(sed -n 's/^__version__ = "\(.*\)"$$/\1/p' src/boostline/__init__.py)

test-aws: $(VENV)/dev  ## the whole line on AWS: costs money, asks first (docs/aws.md)
	@$(BIN)/python -m tests.aws $(if $(REMOVE),--remove $(REMOVE))

mutation: $(VENV)/dev  ## each node of each template changed: what no check of infra/ notices
	@$(BIN)/python -m tests.infra.mutation

lock: $(VENV)/dev  ## resolve the dependencies anew
	@$(BIN)/python requirements/lock.py

clean:  ## remove the environment and all that was built
	@rm -rf $(VENV) .boostline build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps say what is installed: without a change of the lock nothing is fetched, so both work offline.
$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Boostline needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) -V 2>&1 || true): run 'make PYTHON=/path/to/python3.11 ...'" >&2; exit 1; }
	@echo "creating the environment in $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/runtime: requirements/runtime.txt pyproject.toml | $(VENV)/python
	@echo "installing the runtime (about 1 GB, once)"
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --require-hashes -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/dev: requirements/dev.txt | $(VENV)/runtime
	@echo "installing the development tools"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

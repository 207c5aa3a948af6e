# The project's commands; `make help` lists them.
# One environment in .venv, installed from the pinned, hashed versions in requirements/.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

export IG_CAM_STORE_DIR ?= $(CURDIR)/data

.DEFAULT_GOAL := help
.PHONY: help serve test test-kernels lint types bench bench-quick format lock clean

help:            ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

serve: $(VENV)/.run        ## run the camera on the embedded market (flags: make serve ARGS="--agents 74")
	@exec $(BIN)/marketcam serve $(ARGS)

test: $(VENV)/.dev         ## run all tests (flags: make test ARGS="-k window")
	$(BIN)/python -m pytest $(ARGS)

test-kernels: $(VENV)/.dev ## run the kernel tests interpreted (with coverage) and with bounds checks
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m coverage run -m pytest -m kernel -q
	$(BIN)/python -m coverage report --include='engine/*' --skip-covered
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=build/boundscheck $(BIN)/python -m pytest -m kernel -q

lint: $(VENV)/.dev         ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev       ## mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev build/types ## check types, strictly
	cd build/types && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache -p marketcam

bench: $(VENV)/.dev        ## run the benchmarks (flags: make bench ARGS="-k frame")
	$(BIN)/python -m pytest benchmarks --benchmark-only $(ARGS)

bench-quick: $(VENV)/.dev  ## run the benchmarks of small markets, and the camera beside its baseline, briefly
	$(BIN)/python -m pytest benchmarks --benchmark-only -m "not large" \
		--benchmark-max-time=0.2 --benchmark-min-rounds=3 --benchmark-columns=median,iqr,rounds
	$(BIN)/python -m benchmarks.baseline --agents 74 $(ARGS)

lock:            ## pin the newest versions again (needs uv)
	uv pip compile pyproject.toml --group build --universal --generate-hashes --no-header --upgrade -q -o requirements/run.lock
	uv pip compile pyproject.toml --group build --group dev --extra profile --universal --generate-hashes --no-header --upgrade -q -o requirements/dev.lock

clean:           ## remove the environment and what was built
	rm -rf $(VENV) build dist *.egg-info

# The editable mapping of pyproject.toml is invisible to type checkers: give them a folder of links,
# and run them there, since in the checkout they would take io/ for the standard library's.
build/types:
	mkdir -p $@/marketcam
	for room in engine io server; do ln -sfn $(CURDIR)/$$room $@/marketcam/$$room; done

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.%: requirements/%.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing $< into $(VENV) ..."
	$(PIP) --require-hashes -r $<
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

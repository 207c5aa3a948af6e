# The project's commands; `make help` lists them.
# One environment in .venv, installed from the pinned, hashed versions in requirements/.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PAGE   := build/viewer/node_modules/.bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

export IG_CAM_STORE_DIR ?= $(CURDIR)/data

.DEFAULT_GOAL := help
.PHONY: help serve environment kernels test test-kernels test-interpreted test-bounds test-long torture attack lint types format lock clean
.PHONY: docs tables wheel-test
.PHONY: targets limits fanout history history-film bench bench-quick bench-compare bench-save

help:            ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

serve: $(VENV)/.run        ## run the camera on the embedded market (flags: make serve ARGS="--agents 74")
	@exec $(BIN)/marketcam serve $(ARGS)

environment: $(VENV)/.dev  ## install what the tests need, and no more

WORKERS ?= 2
test: $(VENV)/.dev         ## run all tests, two files at a time (flags: make test ARGS="-k window")
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --benchmark-disable $(ARGS)

test-kernels: test-interpreted test-bounds ## run the kernel tests interpreted (with coverage) and with bounds checks (side by side: make -j2 test-kernels)

# Where they are, so that the others are not even imported; a test holds them there.
KERNEL_TESTS := -m kernel -q tests/engine tests/io

test-interpreted: $(VENV)/.dev
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m coverage run -m pytest $(KERNEL_TESTS)
	$(BIN)/python -m coverage report --include='engine/*' --skip-covered

test-bounds: $(VENV)/.dev
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=build/boundscheck $(BIN)/python -m pytest $(KERNEL_TESTS)

kernels: $(VENV)/.dev      ## compile the kernels now, rather than at the first start
	$(BIN)/python -c 'from marketcam.server.running.compiling import compile_kernels; compile_kernels()'

test-long: $(VENV)/.dev    ## film ten million ticks (fewer: MARKETCAM_LONG_TICKS=1000000 make test-long)
	$(BIN)/python -m pytest -m long -s $(ARGS)

torture: $(VENV)/.dev      ## kill recording processes 500 times (other: MARKETCAM_TORTURE_ROUNDS=50 MARKETCAM_TORTURE_SEED=1 make torture)
	MARKETCAM_TORTURE_ROUNDS=$${MARKETCAM_TORTURE_ROUNDS:-500} $(BIN)/python -m pytest tests/torture -s $(ARGS)

attack: $(VENV)/.dev       ## attack running servers 20 times as long as `make test` does (other: MARKETCAM_ATTACK_ROUNDS=100 MARKETCAM_ATTACK_SEED=1 make attack)
	MARKETCAM_ATTACK_ROUNDS=$${MARKETCAM_ATTACK_ROUNDS:-20} $(BIN)/python -m pytest tests/attacks -s --timeout 3600 $(ARGS)

lint: $(VENV)/.dev $(PAGE)/.tools ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PAGE)/biome check --config-path=requirements/viewer server/viewer

format: $(VENV)/.dev $(PAGE)/.tools ## mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(PAGE)/biome check --write --config-path=requirements/viewer server/viewer

types: $(VENV)/.dev build/types $(PAGE)/.tools ## check types, strictly
	$(PAGE)/tsc --project requirements/viewer
	cd build/types && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache -p marketcam

tables: $(VENV)/.dev       ## write the tables of the documents that are made of schemas and settings anew
	$(BIN)/python -m tests.published_tables

docs: $(VENV)/.dev         ## build the documents as a site in build/docs; what leads nowhere fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel-test: $(VENV)/.dev   ## build the wheel, and run it installed afresh under Python 3.11, 3.12 and 3.13
	$(BIN)/python -m tests.wheel_trial

targets: $(VENV)/.dev      ## measure the table of targets (flags: make targets ARGS="--agents 10 74")
	$(BIN)/python -m benchmarks.targets $(ARGS)

limits: $(VENV)/.dev       ## measure what the machine can do at all
	$(BIN)/python -m benchmarks.limits $(ARGS)

fanout: $(VENV)/.dev       ## measure many viewers, beside other servers (another case: make fanout ARGS=crowd)
	$(BIN)/python -m benchmarks.fanout $(or $(ARGS),deliveries)

HOURS ?= 24
history: $(VENV)/.dev      ## measure seeks in a recording of a day, which is made in build/history (shorter: make history HOURS=1)
	$(BIN)/python -m benchmarks.history --hours $(HOURS) $(ARGS)

history-film: $(VENV)/.dev ## make that recording, and measure nothing yet
	$(BIN)/python -m benchmarks.history --hours $(HOURS) --only-film

bench: $(VENV)/.dev        ## run the benchmarks (flags: make bench ARGS="-k frame")
	$(BIN)/python -m pytest benchmarks --benchmark-only $(ARGS)

# Small markets only, briefly: what a change breaks shows there too.
QUICK := $(BIN)/python -m pytest benchmarks --benchmark-only -m "not large" \
	--benchmark-max-time=0.2 --benchmark-min-rounds=3 --benchmark-columns=min,median,rounds
SAVED ?= benchmarks/saved/quick.json
FAIL_ABOVE ?= 1.5

bench-quick: $(VENV)/.dev  ## run the benchmarks of small markets, compare with the saved run, and the camera with its baseline
	@mkdir -p build
	$(QUICK) --benchmark-json build/quick.json
	$(BIN)/python -m benchmarks.compare $(SAVED) build/quick.json --fail-above 3
	$(BIN)/python -m benchmarks.baseline --agents 74 $(ARGS)

bench-compare: $(VENV)/.dev ## compare the last quick run with a saved one (make bench-compare SAVED=FILE FAIL_ABOVE=1.2)
	$(BIN)/python -m benchmarks.compare $(SAVED) build/quick.json --fail-above $(FAIL_ABOVE) $(ARGS)

bench-save: $(VENV)/.dev   ## run the quick benchmarks on a quiet machine and save them as what later runs are compared with
	@mkdir -p $(dir $(SAVED))
	$(QUICK) --benchmark-json $(SAVED)

lock:            ## pin the newest versions again (needs uv)
	uv pip compile pyproject.toml --group build --universal --generate-hashes --no-header --upgrade -q -o requirements/run.lock
	uv pip compile pyproject.toml --group build --group dev --all-extras --universal --generate-hashes --no-header --upgrade -q -o requirements/dev.lock

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
	$(PIP) --require-hashes --no-deps -r $<
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# What checks the page in server/viewer needs node and npm; the page itself is served as it is.
$(PAGE)/.tools: $(wildcard requirements/viewer/package*.json)
	@mkdir -p build/viewer
	cp requirements/viewer/package.json requirements/viewer/package-lock.json requirements/viewer/.npmrc build/viewer/
	cd build/viewer && npm ci --silent
	@touch $@

# Everything here works on a fresh machine with Python 3.11 or newer: what is needed goes into .venv first.
#
# The versions are those of constraints.txt.
#
#     make serve  ARGS='--listen tcp://0.0.0.0:7777'
#     make test   ARGS='-k names'
#     make test   PYTHON=python3.12
#     make bench  ARGS='--only A,D'

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CODE   := asyncchat tests $(wildcard examples benchmarks)

.PHONY: help serve test slow check format bench update
.DEFAULT_GOAL := help

help:
	@echo 'make serve    run the server on 127.0.0.1:7777 (ARGS= for its options)'
	@echo 'make test     run the tests, all but the long ones (ARGS= for options of pytest)'
	@echo 'make slow     run the long tests'
	@echo 'make check    lint, formatting and types'
	@echo 'make format   format the code, and mend what the linter can mend'
	@echo 'make bench    measure the server beside the bare asyncio loop (ARGS= for its options)'
	@echo 'make update   install the newest versions of all dependencies; if every test passes, make will use these'
	@echo 'PYTHON=python3.12 chooses the Python that all this uses.'

serve: $(VENV)/installed
	@$(BIN)/python -m asyncchat.server $(ARGS)

# The programs that tests start, some hundreds, are compiled once: the environment of a container often forbids that.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses=4 --dist=worksteal

test: $(VENV)/installed-dev
	@echo 'running the tests (two minutes)'
	@$(PYTEST) -m 'not slow' $(ARGS)

slow: $(VENV)/installed-dev
	@echo 'running the long tests (a minute)'
	@$(PYTEST) -m slow $(ARGS)

check: $(VENV)/installed-dev
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy --strict $(CODE)

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix-only $(CODE)
	$(BIN)/ruff format $(CODE)

# Fails when a message is lost or out of order, never because of a time.
bench: $(VENV)/installed
	@$(BIN)/python -m benchmarks.run $(ARGS)

# Two stamps, so that whoever only serves need not install what the tests use. The code itself is not copied into
# the environment: only a change of pyproject.toml or of the constraints makes a new installation.
PIP := $(BIN)/python -m pip --disable-pip-version-check
CONSTRAINTS ?= constraints.txt

$(VENV)/installed: pyproject.toml $(CONSTRAINTS)
	@echo 'installing asyncchat into $(VENV) (once; some seconds)'
	@$(PIP) install --constraint $(CONSTRAINTS) --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml $(CONSTRAINTS)
	@echo 'installing asyncchat and what its tests use into $(VENV) (once; half a minute)'
	@$(PIP) install --constraint $(CONSTRAINTS) --editable '.[dev]'
	@touch $@ $(VENV)/installed

update: environment
	@echo 'installing the newest versions into $(VENV)'
	@$(PIP) install --editable '.[dev]'
	@touch $(VENV)/installed $(VENV)/installed-dev
	@$(MAKE) --no-print-directory test
	@{ echo '# The versions that the tests passed with, which make installs; `make update` renews them.'; \
		$(PIP) freeze --exclude-editable; } >constraints.new
	@mv constraints.new constraints.txt
	@touch $(VENV)/installed $(VENV)/installed-dev

# The environment is made anew where there is none that works, and where it has another Python than the one asked for.
VERSION := import sys; print("%d.%d" % sys.version_info[:2])
HAS     := $(if $(wildcard $(BIN)/pip),$(shell $(BIN)/python -c '$(VERSION)' 2>/dev/null))
WANTED  := $(if $(filter file,$(origin PYTHON)),$(HAS),$(shell $(PYTHON) -c '$(VERSION)' 2>/dev/null))

ifeq ($(and $(HAS),$(filter $(HAS),$(WANTED))),)
$(VENV)/installed $(VENV)/installed-dev: environment
endif

.PHONY: environment
environment:
	@command -v '$(PYTHON)' >/dev/null || { echo "asyncchat needs Python 3.11 or newer: no $(PYTHON) here" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "asyncchat needs Python 3.11 or newer: $(PYTHON) is $$($(PYTHON) -c '$(VERSION)')" >&2; exit 1; }
	@echo 'making an environment in $(VENV)'
	@$(PYTHON) -m venv --clear $(VENV)

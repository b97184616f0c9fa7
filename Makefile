# Everything runs in .venv, which the README's first command makes.
PYTHON := .venv/bin/python

.PHONY: test check chaos live-smoke format tools bundle

test:
	$(PYTHON) -m pytest -n 3 --dist loadfile

check: tools
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright
	.venv/bin/lint-imports
	$(PYTHON) .ci/sizes.py

# Half an hour; its output is benchmarks/results/chaos.txt.
chaos:
	$(PYTHON) tests/chaos/run.py --kills 10000

# Asks each source that needs no key, over the network; the SEC with STOCKDESK_SEC_CONTACT.
live-smoke:
	$(PYTHON) tests/live/smoke.py

# dist/stockdesk-VERSION.mcpb, for Claude Desktop.
bundle:
	$(PYTHON) .ci/bundle.py

format: tools
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

tools:
	@$(PYTHON) -c "import importlinter" 2>/dev/null || .venv/bin/pip install --quiet --editable '.[dev]'

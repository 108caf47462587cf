# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
PROOF_ENV := $(ECCP_CACHE)/z3-$(shell cksum < spin-models/proof/requirements.txt | cut -d' ' -f1)

$(PROOF_ENV)/ready: spin-models/proof/requirements.txt
	python3 -m venv $(PROOF_ENV)
	$(PROOF_ENV)/bin/pip install --quiet --requirement $<
	touch $@

.PHONY: prove conformance explore-deep mutants replay

prove: $(PROOF_ENV)/ready ## Prove safety, convergence and termination for any number of moves (z3)
	PYTHONDONTWRITEBYTECODE=1 $(PROOF_ENV)/bin/python spin-models/proof/prove.py

conformance: ## Check the core against the table of the models, exhaustively, and by the acceptor
	cargo test -p eccp-core --test conformance --test explore --test acceptor

explore-deep: ## Explore the core to 4+4 moves and to larger fixed points (about 2 minutes)
	cargo test -p eccp-core --test explore -- --ignored --nocapture --test-threads 1

mutants: ## Break the core in many ways; the named tests must notice (about 5 minutes)
	cargo test -p eccp-core --test mutants -- --ignored --nocapture

replay: ## Judge captured packets: CLIENT=FILE SERVER=FILE, or WIRE=FILE, or TRACE=FILE (docs/trace.md)
	@cargo run --quiet -p eccp-core --example replay -- $(if $(CLIENT),--client $(CLIENT)) \
		$(if $(SERVER),--server $(SERVER)) $(if $(WIRE),--wire $(WIRE)) $(if $(TRACE),--trace $(TRACE))

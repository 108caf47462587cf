# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
PROOF_ENV := $(ECCP_CACHE)/z3-$(shell cksum < spin-models/proof/requirements.txt | cut -d' ' -f1)

$(PROOF_ENV)/ready: spin-models/proof/requirements.txt
	python3 -m venv $(PROOF_ENV)
	$(PROOF_ENV)/bin/pip install --quiet --requirement $<
	touch $@

.PHONY: prove
prove: $(PROOF_ENV)/ready ## Prove safety, convergence and termination for any number of moves (z3)
	PYTHONDONTWRITEBYTECODE=1 $(PROOF_ENV)/bin/python spin-models/proof/prove.py

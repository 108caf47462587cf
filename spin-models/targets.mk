# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
.PHONY: verify verify-deep verify-write

verify: prove ## Run the SPIN models against spin-models/expected.tsv, and the proof (needs spin, gcc)
	spin-models/check

verify-deep: ## The long runs of the models: up to 40 minutes on two cores and 18 GB (JOBS=1: one core, 11 GB)
	spin-models/check --tier deep --jobs $(or $(JOBS),2)

verify-write: ## Run the default tier and store traces, charts, the conformance table and RESULTS.md
	spin-models/check --write

include spin-models/proof/targets.mk

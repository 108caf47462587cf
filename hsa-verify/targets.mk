# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
# Targets of hsa-verify. HSA_DATA names the folder of real networks, ../shared/data by default.

.PHONY: test-hsa bench-hsa

test-hsa: ## Test hsa-verify: algebra, random networks, and real networks where they are present
	cargo test --release -q -p hsa-verify

bench-hsa: ## Measure hsa-verify on real networks and fat trees (target/bench/hsa.json)
	HSA_BENCH_OUT="$(CURDIR)/target/bench" cargo bench -q -p hsa-verify --bench hsa

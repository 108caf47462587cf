# SPDX-License-Identifier: GPL-2.0-only
.PHONY: test-core sim
test-core: ## Protocol core: rules, codec, hostile packets, life cycle, simulation
	cargo test -p eccp-core

sim: ## Protocol core: long simulation; SIM_LIVES and SIM_SEED choose how long and which
	cargo run -q --release -p eccp-core --features sim --example sim_throughput -- $(or $(SIM_LIVES),3000) $(or $(SIM_SEED),0)

# SPDX-License-Identifier: GPL-2.0-only
.PHONY: test-core test-dissector check-panics sim
test-core: ## Protocol core: rules, codec, hostile packets, life cycle, simulation
	cargo test -p eccp-core

test-dissector: ## Wireshark dissector: sees what the core writes (needs tshark)
	kmod/core/check-dissector

check-panics: ## Protocol core: no function of it can panic, seen in the machine code
	kmod/core/check-panics

sim: ## Protocol core: long simulation; SIM_LIVES and SIM_SEED choose how long and which
	cargo run -q --release -p eccp-core --features sim --example sim_throughput -- $(or $(SIM_LIVES),3000) $(or $(SIM_SEED),0)

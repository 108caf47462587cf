# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
# Targets of hsa-verify. HSA_DATA names the folder of real networks, ../shared/data by default.

.PHONY: test-hsa bench-hsa

test-hsa: ## Test hsa-verify: algebra, random networks, and real networks where they are present
	cargo test --release -q -p hsa-verify

bench-hsa: ## Measure hsa-verify on real networks and fat trees (target/bench/hsa.json)
	HSA_BENCH_OUT="$(CURDIR)/target/bench" cargo bench -q -p hsa-verify --bench hsa

.PHONY: demo-hsa
demo-hsa: ## Make a campus network with a planted loop and leak, and find them (target/demo-hsa)
	cargo build -q --locked -p hsa-verify
	@hsa=$$(cargo metadata -q --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/hsa-verify; \
	rm -rf target/demo-hsa; mkdir -p target/demo-hsa; cd target/demo-hsa; \
	ask() { printf '\n$$ hsa-verify %s\n' "$$*"; code=0; "$$hsa" --quiet "$$@" || code=$$?; test $$code -le 1; }; \
	ask generate campus campus; \
	ask show campus; \
	ask loops campus --svg loop.svg --html loop.html; \
	ask reach campus --from b03-acc1:gi0/5 --to b01-acc2:gi0/4 --svg leak.svg --html leak.html; \
	ask isolation campus --slice staff=vlan=10 --slice guests=vlan=20 --html isolation.html; \
	ask check campus/policy.toml; \
	printf '\nPictures and pages are in target/demo-hsa.\n'

# Coverage-guided fuzzing wants a nightly compiler and `cargo install cargo-fuzz`.
HSA_FUZZ_TARGETS = ios_config ios_shown junos_config junos_shown openflow hassel netplumber native links headers
HSA_FUZZ_SECONDS ?= 60

.PHONY: fuzz-hsa
fuzz-hsa: ## Fuzz every reader of hsa-verify for HSA_FUZZ_SECONDS each (nightly Rust, cargo-fuzz)
	cd hsa-verify/fuzz; for target in $(HSA_FUZZ_TARGETS); do \
		mkdir -p corpus/$$target; \
		cargo +nightly fuzz run --fuzz-dir . --sanitizer none $$target corpus/$$target seeds/$$target -- \
			-dict=words.dict -max_len=4096 -timeout=20 -rss_limit_mb=4096 \
			-max_total_time=$(HSA_FUZZ_SECONDS) -print_final_stats=1 || exit 1; \
	done

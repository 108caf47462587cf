# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
# Every target of the project. Each component brings its own targets.mk.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Downloads, kernel trees and other things that outlive a checkout.
export ECCP_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/eccp

.PHONY: help
help: ## Show every target with what it does
	@awk -F ':.*## ' '/^[a-zA-Z0-9_-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test test-rust host-packages lint

test: host-packages test-rust check-panics test-hsa test-toolchain module module-sid lint-module netlink-check verify test-qemu ## Everything: Rust tests, no panic in the core, models, proof, both modules, scenarios on real kernels
	@echo "Everything passed."

host-packages:
	@need=; for p in spin gcc binutils python3-venv; do dpkg -s $$p >/dev/null 2>&1 || need+=" $$p"; done; \
	if [ -n "$$need" ]; then echo "installing$$need"; \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $$need; } >/dev/null; fi

test-rust: ## Tests of the core, the netlink crate, the tool and the test programs
	cargo test --locked --workspace --exclude hsa-verify

lint: ## rustfmt and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

include kmod/core/targets.mk
-include $(wildcard */targets.mk)

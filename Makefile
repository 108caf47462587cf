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

-include $(wildcard */targets.mk)

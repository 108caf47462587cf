# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

# The generator is in the kernel source that "make kernel-trixie" unpacks.
KSRC ?= $(shell sed -n 's/^SRC=//p' "$(ECCP_CACHE)/trixie/env" 2>/dev/null)

.PHONY: netlink-generate netlink-check
netlink-generate: ## Make the uAPI header and C tables from the netlink specification (KSRC=kernel source)
	@Documentation/netlink/regenerate "$(KSRC)"

netlink-check: ## Fail if the generated netlink files differ from the specification (KSRC=kernel source)
	@Documentation/netlink/regenerate --check "$(KSRC)"

# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

# The generator is in the kernel source that "make kernel-trixie" unpacks.
KSRC ?= $(shell sed -n 's/^SRC=//p' "$(ECCP_CACHE)/trixie/env" 2>/dev/null)

# The generator's Python modules, outside the checkout.
YNL_ENV := $(ECCP_CACHE)/ynl-python

$(YNL_ENV)/ready:
	python3 -m venv $(YNL_ENV)
	$(YNL_ENV)/bin/pip install --quiet 'PyYAML==6.0.2' 'jsonschema==4.23.0'
	touch $@

.PHONY: netlink-generate netlink-check
netlink-generate: $(YNL_ENV)/ready ## Make the uAPI header and C tables from the netlink specification (KSRC=kernel source)
	@PATH="$(YNL_ENV)/bin:$$PATH" Documentation/netlink/regenerate "$(KSRC)"

netlink-check: $(YNL_ENV)/ready ## Fail if the generated netlink files differ from the specification (KSRC=kernel source)
	@PATH="$(YNL_ENV)/bin:$$PATH" Documentation/netlink/regenerate --check "$(KSRC)"

# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

.PHONY: man
man: ## Make eccp-tool(8) from the definition of the command line
	@page=$$(cargo run -q --locked -p eccp-tool -- manual); printf '%s\n' "$$page" > eccp-tool/man/eccp-tool.8

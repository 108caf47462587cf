# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
# Stock kernels in QEMU: scenarios, demonstration, benchmark, shell.

GUEST_TARGET := x86_64-unknown-linux-gnu
CARGO_OUTPUT := $(or $(CARGO_TARGET_DIR),target)
GUEST := $(CARGO_OUTPUT)/$(GUEST_TARGET)/release
QEMU_TESTS := $(CARGO_OUTPUT)/debug/qemu-tests --init $(GUEST)/qemu-guest --tool $(GUEST)/eccp-tool

.PHONY: guest demo bench budgets test-qemu test-qemu-sid shell

# Everything that runs in a machine is linked statically: its image has no libc.
guest: ## Build the test machine's programs and the runner that boots it
	@RUSTFLAGS="-C target-feature=+crt-static" CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_PROFILE_RELEASE_DEBUG=0 \
		cargo build --locked --release --target $(GUEST_TARGET) \
		-p qemu-guest -p eccp-tool -p eccp-netlink --bins --example eccp-echo
	@cc -Wall -Wextra -Werror -O2 -static -Iinclude/uapi docs/examples/echo.c -o $(GUEST)/examples/eccp-echo-c
	@cargo build --locked -p qemu-tests

demo: module guest ## Carry a file over AF_ECCP through five moves, with TCP beside it (2 minutes, 15 from nothing)
	@$(QEMU_TESTS) demo --module target/kmod/trixie/eccp.ko --output target/demo

bench: module guest ## Count instructions per byte of AF_ECCP and TCP (5 minutes)
	@$(QEMU_TESTS) bench --module target/kmod/trixie/eccp.ko --output target/bench

# REPEAT=3 BUDGETS=--only\ link-down for trials; without BUDGETS the page is written.
budgets: module guest ## Measure the pause in delivery at nine changes of the network, beside TCP, MPTCP, WireGuard (25 minutes)
	@$(QEMU_TESTS) budgets --module target/kmod/trixie/eccp.ko --output target/budgets \
		--repeat $(or $(REPEAT),20) $(or $(BUDGETS),--page docs/moves.md)

# Scenarios wait more than they work, so both machines run at once; sid's report follows the other.
test-qemu: module module-sid guest ## Run every scenario on Debian 13's kernel, the short list on sid's (TESTS=filter)
	@mkdir -p target/qemu; \
	$(QEMU_TESTS) test --kernel sid --smoke --module target/kmod/sid/eccp.ko --output target/qemu/sid -- $(TESTS) \
		>target/qemu/sid.log 2>&1 & sid=$$! failed=0; \
	$(QEMU_TESTS) test --module target/kmod/trixie/eccp.ko --output target/qemu/trixie -- $(TESTS) || failed=1; \
	wait $$sid || failed=1; \
	cat target/qemu/sid.log; \
	exit $$failed

test-qemu-sid: module-sid guest ## Run the short list of scenarios on sid's kernel
	@$(QEMU_TESTS) test --kernel sid --smoke --module target/kmod/sid/eccp.ko --output target/qemu/sid -- $(TESTS)

shell: module guest ## Boot the test machine with the module loaded and a shell on its console
	@$(QEMU_TESTS) shell --module target/kmod/trixie/eccp.ko --output target/qemu/shell

# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
# The kernels to build for, and the module for each of them.

.PHONY: toolchain kernel-trixie kernel-sid kernels module module-sid lint-module test-toolchain

toolchain: kernel-trixie kernel-sid ## Prepare both stock Debian kernels for building (4 minutes each, cached)

kernel-trixie: ## Prepare Debian 13 with its backports kernel, the primary one
	@kmod/toolchain/prepare trixie

kernel-sid: ## Prepare Debian sid with its kernel
	@kmod/toolchain/prepare sid

kernels: ## Show the versions of the prepared kernels and their compilers
	@kmod/toolchain/versions

ifdef KDIR
module: ## Build eccp.ko for Debian 13's backports kernel, or with KDIR=... for any prepared tree
	@+$(MAKE) -C kmod --no-print-directory KDIR=$(abspath $(KDIR)) \
		MO=$(CURDIR)/target/kmod/$(or $(shell cat $(KDIR)/include/config/kernel.release),unknown)
else
module: kernel-trixie
	@kmod/toolchain/build trixie
endif

module-sid: kernel-sid ## Build eccp.ko for Debian sid's kernel
	@kmod/toolchain/build sid

lint-module: kernel-trixie ## clippy for the module with the kernel's settings, warnings are errors
	@kmod/toolchain/build trixie CLIPPY=1 KRUSTFLAGS=-Dwarnings MO=/mnt/project/target/kmod/trixie-lint >/dev/null

test-toolchain: ## Test the preflight and the preparation stages
	@kmod/toolchain/test

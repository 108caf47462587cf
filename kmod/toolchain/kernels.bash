# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
# The kernels that this project prepares by itself, and where they are kept.

toolchain_kernels=(trixie sid)

# Sets `suite` (whose compilers are used) and `kernel_suite` (whose kernel is).
# shellcheck disable=SC2034
select_kernel() {
    case $1 in
    trixie) suite=trixie kernel_suite=trixie-backports ;;
    sid) suite=sid kernel_suite=sid ;;
    *)
        echo "unknown kernel '$1'; known are: ${toolchain_kernels[*]}" >&2
        return 2
        ;;
    esac
}

# Sets `cache` to the directory that holds the prepared kernels.
locate_cache() {
    cache=${ECCP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/eccp}
    if [[ $cache != /* || $cache =~ [[:space:]] ]]; then
        echo "ECCP_CACHE='$cache' must be an absolute path without blanks" >&2
        return 2
    fi
}

# Reads the description of the prepared KERNEL into CHROOT, RELEASE and so on.
load_kernel() {
    select_kernel "$1" || return
    locate_cache || return
    if [[ ! -f $cache/$1/env ]]; then
        echo "kernel $1 is not prepared in $cache; run: make kernel-$1" >&2
        return 1
    fi
    # shellcheck disable=SC1090
    . "$cache/$1/env"
}

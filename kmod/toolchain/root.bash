# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
# Running commands inside a kernel's own Debian root.

# Administrator's rights, for what needs them.
as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo --non-interactive "$@"
    fi
}

# in_root ROOT [SOURCE:TARGET]... -- COMMAND...
# Runs COMMAND in ROOT with /proc, /dev and the given directories bound in.
# The mounts belong to a mount namespace of the command and end with it, even
# when it is killed. IN_ROOT_AS says who runs it: `root` (default) or `user`,
# an ordinary user mapped to root, enough for a compiler.
in_root() {
    local root=$1 binds=()
    shift
    while [[ $1 != -- ]]; do
        binds+=("$1")
        shift
    done
    shift
    local run=(as_root unshare) kept=()
    if [[ ${IN_ROOT_AS:-root} == user ]] && ((EUID != 0)); then
        run=(unshare --user --map-root-user)
    fi
    local name
    for name in http_proxy https_proxy no_proxy; do
        if [[ -n ${!name:-} ]]; then
            kept+=("$name=${!name}")
        fi
    done
    # shellcheck disable=SC2016
    "${run[@]}" --mount bash -euc '
        root=$1 count=$2
        shift 2
        mount --rbind /proc "$root/proc"
        mount --rbind /dev "$root/dev"
        for ((; count > 0; count--)); do
            mount --bind "${1%%:*}" "$root${1#*:}"
            shift
        done
        exec chroot "$root" /usr/bin/env -i "$@"
    ' in_root "$root" "${#binds[@]}" "${binds[@]}" \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "${kept[@]}" "$@"
}

# Prints the installed version of PACKAGE in ROOT, nothing when it is absent.
installed_version() {
    awk -v package="$2" '
        /^Package: / { found = $2 == package }
        found && /^Version: / { print $2; exit }
    ' "$1/var/lib/dpkg/status"
}

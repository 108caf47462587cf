# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
# The stages that turn a Debian suite into a root in which Rust modules for
# its stock kernel compile. They use: suite, kernel_suite, home (the kernel's
# directory in the cache), root ($home/root) and what detect_machine sets; those
# after install_kernel also what it wrote into $home/release.
# shellcheck disable=SC2154,SC2153,SC2016

compiler_packages=(
    bc bindgen bison clang cpio flex gcc kmod libclang-dev libdw-dev libelf-dev
    libssl-dev lld llvm make pahole python3 python3-yaml rust-clippy rust-src
    rustc rustfmt xz-utils
)

# Sets `arch` (Debian's name), `loader` (of dynamically linked programs) and the
# package and command of QEMU for the machine at hand.
detect_machine() {
    case $(uname -m) in
    x86_64)
        arch=amd64 loader=/lib64/ld-linux-x86-64.so.2
        qemu_package=qemu-system-x86 qemu_command=qemu-system-x86_64
        ;;
    aarch64)
        arch=arm64 loader=/lib/ld-linux-aarch64.so.1
        qemu_package=qemu-system-arm qemu_command=qemu-system-aarch64
        ;;
    *)
        echo "no kernel can be prepared on $(uname -m); known are x86_64 and aarch64" >&2
        return 1
        ;;
    esac
}

# Prints the packages whose commands or files this machine lacks.
missing_host_packages() {
    local wanted=(
        "debootstrap /usr/sbin/debootstrap" "util-linux unshare" "mount mount"
        "debian-archive-keyring /usr/share/keyrings/debian-archive-keyring.gpg"
    )
    local package file
    while read -r package file; do
        [[ -e $file ]] || command -v "$file" >/dev/null || echo "$package"
    done < <(printf '%s\n' "${wanted[@]}")
}

install_host_packages() {
    local missing
    mapfile -t missing < <(missing_host_packages)
    ((${#missing[@]})) || return 0
    if ! command -v apt-get >/dev/null; then
        echo "install these by the means of this system: ${missing[*]}" >&2
        return 1
    fi
    as_root apt-get update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
        install --yes --no-install-recommends "${missing[@]}"
}

# No mirror is named: debootstrap knows its own.
bootstrap_root() {
    # All this was done in the root that goes away.
    stage_forget sources compilers emulator kernel source metadata symbols stock
    as_root rm -rf "$home/root.part"
    as_root env PATH="$PATH:/usr/sbin:/sbin" \
        debootstrap --variant=minbase "$suite" "$home/root.part"
    # Where the project's and the stock kernel's directories are bound in.
    as_root mkdir -p "$home/root.part/mnt/project" "$home/root.part/mnt/stock"
    as_root rm -rf "$root"
    as_root mv "$home/root.part" "$root"
}

# The settings with which this machine reaches a Debian mirror.
host_apt_settings() {
    if command -v apt-config >/dev/null; then
        apt-config dump | grep -E '^Acquire::(https?|Check-|Retries|ForceIPv)' || true
    fi
    # Nobody reads manuals in this root, and it can be made again.
    echo 'DPkg::Options:: "--force-unsafe-io";'
    echo 'DPkg::Options:: "--path-exclude=/usr/share/man/*";'
    echo 'DPkg::Options:: "--path-exclude=/usr/share/doc/*";'
}

# derive_sources LIST WANTED: prints the entries of the package source LIST, in
# either of apt's formats, for the suite WANTED instead of the one it names.
derive_sources() {
    if [[ $1 == *.sources ]]; then
        sed "s/^Suites:.*/Suites: $2/" "$1"
    else
        sed -nE "s/^(deb (\[[^]]*\] )?[^ ]+) [^ ]+ /\1 $2 /p" "$1"
    fi
}

update_sources() {
    host_apt_settings | as_root tee "$root/etc/apt/apt.conf.d/90host" >/dev/null
    as_root cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    local apt=$root/etc/apt list=
    if [[ $kernel_suite != "$suite" ]]; then
        # Which of the two there is depends on the version of debootstrap.
        for list in "$apt/sources.list.d/debian.sources" "$apt/sources.list"; do
            [[ ! -s $list ]] || break
        done
        derive_sources "$list" "$kernel_suite" |
            as_root tee "$apt/sources.list.d/kernel.${list##*.}" >/dev/null
    fi
    in_root "$root" -- apt-get update
}

# An interrupted installation is completed first.
install_in_root() {
    in_root "$root" -- dpkg --configure -a
    in_root "$root" -- apt-get --yes --no-install-recommends install "$@"
}

install_compilers() {
    install_in_root "${compiler_packages[@]}"
}

# QEMU of the suite, whatever the machine has: before 8.1 it could run a guest's
# breakpoint after the guest had taken it back, which kernels that patch their
# own code do all the time. $home/qemu runs it from outside the root.
install_emulator() {
    # The root may be older than the packages that its lists name.
    in_root "$root" -- apt-get update
    install_in_root "$qemu_package"
    in_root "$root" -- apt-get clean
    cat >"$home/qemu.part" <<END
#!/bin/sh
root=$root
exec "\$root$loader" --library-path "\$root/usr/lib/$(uname -m)-linux-gnu" \\
    "\$root/usr/bin/$qemu_command" \\
    -L "\$root/usr/share/seabios" -L "\$root/usr/share/qemu" "\$@"
END
    chmod +x "$home/qemu.part"
    mv "$home/qemu.part" "$home/qemu"
    "$home/qemu" --version
}

# Asks the suite which kernel is current, installs its headers and its source,
# and records the choice in $home/release.
install_kernel() {
    local record version release series
    record=$(in_root "$root" -- apt-cache show "linux-headers-$arch/$kernel_suite")
    version=$(sed -n 's/^Version: //p' <<<"$record")
    release=$(sed -n 's/^Depends:.* linux-headers-\([0-9][^ ,]*\).*/\1/p' <<<"$record")
    series=$(grep -oE '^[0-9]+\.[0-9]+' <<<"$release")
    echo "current in $kernel_suite: $release, package version $version"
    install_in_root --target-release "$kernel_suite" \
        "linux-headers-$arch=$version" "linux-source-$series=$version"
    printf 'RELEASE=%s\nPACKAGE_VERSION=%s\nSERIES=%s\n' "$release" "$version" "$series" \
        >"$home/release.part"
    mv "$home/release.part" "$home/release"
}

unpack_source() {
    in_root "$root" -- bash -euc '
        echo "unpacking linux-source-$1"
        rm -rf /build/src.part
        mkdir -p /build/src.part
        tar --extract --file "/usr/src/linux-source-$1.tar.xz" \
            --directory /build/src.part --strip-components=1
        rm -rf /build/src /build/out
        mv /build/src.part /build/src
    ' unpack "$SERIES"
    in_root "$root" -- apt-get clean
}

# Builds what a Rust module needs beyond the headers package, with the very
# configuration and compilers of the stock kernel.
build_metadata() {
    in_root "$root" -- bash -euc '
        headers=/usr/src/linux-headers-$1
        mkdir -p /build/out
        cp "$headers/.config" /build/out/.config
        make -C /build/src O=/build/out olddefconfig
        make -C /build/src O=/build/out -j "$(nproc)" prepare
        rm -rf "$headers/rust.part"
        mkdir "$headers/rust.part"
        cp /build/out/rust/*.rmeta /build/out/rust/*.so "$headers/rust.part"
        if [[ -e /build/out/scripts/target.json ]]; then
            cp /build/out/scripts/target.json "$headers/scripts/target.json"
        fi
        rm -rf "$headers/rust"
        mv "$headers/rust.part" "$headers/rust"
    ' metadata "$RELEASE"
}

# The names of Rust symbols contain a hash of the crate and the compiler. When
# the stock kernel exports every one that was built, what compiles here loads.
compare_symbols() {
    local built=$home/symbols.built stock=$home/symbols.stock missing
    sed -n 's/.*EXPORT_SYMBOL_RUST_GPL(\([^)]*\)).*/\1/p' \
        "$root"/build/out/rust/exports_*_generated.h | sort -u >"$built"
    awk '{ print $2 }' "$root/usr/src/linux-headers-$RELEASE/Module.symvers" | sort -u >"$stock"
    if [[ ! -s $built ]]; then
        echo "the prepared tree of $RELEASE exports no Rust symbol"
        return 1
    fi
    missing=$(comm -23 "$built" "$stock")
    if [[ -n $missing ]]; then
        echo "$RELEASE does not export $(wc -l <<<"$missing") of $(wc -l <"$built") Rust symbols"
        echo "that its own source yields here; a module built so would not load. The first:"
        head -n 5 <<<"$missing"
        return 1
    fi
    echo "$(wc -l <"$built") Rust symbols, all exported by the stock $RELEASE"
}

# The image and modules as packaged, unpacked but not installed: this is what
# QEMU boots.
unpack_stock() {
    as_root rm -rf "$home/stock.part"
    as_root mkdir -p "$home/stock.part"
    in_root "$root" "$home/stock.part:/mnt/stock" -- bash -euc '
        release=$1 version=$2
        # The image package with those of its dependencies that carry its release.
        mapfile -t packages < <(
            apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts \
                --no-breaks --no-replaces --no-enhances "linux-image-$release" |
                grep --extended-regexp "^[a-z].*-${release//+/[+]}\$" | sort -u)
        rm -rf /var/cache/stock
        mkdir /var/cache/stock
        cd /var/cache/stock
        apt-get -o APT::Sandbox::User=root download "${packages[@]/%/=$version}"
        for package in ./*.deb; do
            echo "unpacking ${package#./}"
            dpkg-deb --extract "$package" /mnt/stock
        done
        rm -rf /var/cache/stock
        echo "listing the modules"
        # Older packages use /lib and /boot, newer ones /usr/lib alone.
        modules=/mnt/stock/usr/lib/modules/$release
        if [[ -d /mnt/stock/lib/modules/$release ]]; then
            mkdir -p /mnt/stock/usr/lib/modules
            mv "/mnt/stock/lib/modules/$release" "$modules"
            rm -rf /mnt/stock/lib
        fi
        if [[ -e /mnt/stock/boot/vmlinuz-$release ]]; then
            mv "/mnt/stock/boot/vmlinuz-$release" "$modules/vmlinuz"
        fi
        ln -sfn usr/lib /mnt/stock/lib
        depmod --basedir /mnt/stock "$release"
        test -s "$modules/vmlinuz" -a -s "$modules/modules.dep"
    ' stock "$RELEASE" "$PACKAGE_VERSION"
    as_root rm -rf "$home/stock"
    as_root mv "$home/stock.part" "$home/stock"
}

# Writes what other tools need to know about the prepared kernel.
describe_kernel() {
    local modules=$home/stock/usr/lib/modules/$RELEASE
    local headers=/usr/src/linux-headers-$RELEASE
    cat >"$home/env.part" <<END
KERNEL=$kernel
RELEASE=$RELEASE
PACKAGE_VERSION=$PACKAGE_VERSION
CHROOT=$root
KDIR=$root$headers
KDIR_IN_CHROOT=$headers
SRC=$root/build/src
OUT=$root/build/out
YNL=$root/build/src/tools/net/ynl
VMLINUZ=$modules/vmlinuz
MODULES=$modules
QEMU=$home/qemu
END
    mv "$home/env.part" "$home/env"
}

#!/bin/sh
# Builds for 64-bit ARM with Debian's cross compiler and runs the tests in qemu's user mode. The
# libraries for ARM go into a folder of their own, build-arm64/root: this machine's packages stay as
# they are, but for compiler and emulator.
#
#   scripts/test-arm64.sh [OPTION OF meson test...]     such as --suite unit, or names of tests
#
# Needs apt, and its sources to have arm64 (Debian's have; Ubuntu's are elsewhere).
set -eu
cd "$(dirname "$0")/.."
build=$PWD/build-arm64 root=$PWD/build-arm64/root
triplet=aarch64-linux-gnu
say() { printf '== %s\n' "$*"; }

# Left out, and why.
# header, examples, docs: they compile for this machine, or load the library into its Python
# layers, layers_self, abi_self: of the sources, not of the machine
# base, decoders: the emulator starts programs that are not there, and tells nobody
# file, executor_alone: it does not limit memory or the number of threads
# faults, resume: they put a library under the program, which it does not load
# network, network_*: they need more speed than it has
# seccomp is not known to it: the helpers' sandbox is less there, as `info --devices` says
skipped="header examples docs layers layers_self abi_self base decoders file executor_alone faults resume
network network_matrix network_photos"

scripts/setup.sh arm64

# ---- libraries ----

# What setup.sh would install here; of the tests' own needs, cmocka.
packages="libc6-dev libjpeg62-turbo-dev libpng-dev libwebp-dev libgif-dev libjansson-dev libssl-dev
libcairo2-dev libsqlite3-dev libarchive-dev zlib1g-dev libxxhash-dev libcurl4-openssl-dev
libcmocka-dev libtiff-dev libheif-dev libavif-dev libjxl-dev libopenjp2-7-dev fonts-dejavu-core"
apt_arm64() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
        -o Dir::State="$build/apt/state" -o Dir::State::status="$build/apt/status" \
        -o Dir::Cache="$build/apt/cache" -o APT::Sandbox::User= -o Debug::NoLocking=1 "$@"
}
if [ ! -e "$root/complete" ]; then
    say "libraries for ARM, from apt"
    rm -rf "$root" "$build/apt"
    mkdir -p "$build/apt/state/lists/partial" "$build/apt/cache/archives/partial" "$root/usr/lib"
    : >"$build/apt/status"
    ln -s usr/lib "$root/lib"
    apt_arm64 update
    # shellcheck disable=SC2086 # several packages
    apt_arm64 install -y --download-only --no-install-recommends $packages >/dev/null
    for package in "$build"/apt/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink
    done
    # Links to absolute paths would lead out of the folder.
    find "$root/usr/lib/$triplet" -type l -lname '/*' | while read -r link; do
        ln -sf "$root$(readlink "$link")" "$link"
    done
    rm -rf "$build/apt"
    touch "$root/complete"
fi

# ---- build ----

cat >"$build/cross.ini" <<END
[binaries]
c = ['$triplet-gcc', '--sysroot=$root']
ar = '$triplet-ar'
strip = '$triplet-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['qemu-aarch64-static', '-L', '$root']
[built-in options]
c_link_args = ['-Wl,-rpath-link,$root/usr/lib/$triplet']
[properties]
sys_root = '$root'
pkg_config_libdir = '$root/usr/lib/$triplet/pkgconfig:$root/usr/share/pkgconfig'
needs_exe_wrapper = true
[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
END
say "build"
[ -f "$build/build.ninja" ] || meson setup "$build" --cross-file "$build/cross.ini" >"$build/setup.log" || {
    tail -n 5 "$build/setup.log"
    exit 1
}
ninja -C "$build" --quiet
[ ! -d build/cache ] || [ -d "$build/cache" ] || cp -r build/cache "$build/cache"

# ---- tests ----

# Tests start the program by its path: the system must know how.
QEMU_LD_PREFIX=$root
export QEMU_LD_PREFIX
if ! "$build/cli/headstart" --version >/dev/null 2>&1; then
    binfmt=/proc/sys/fs/binfmt_misc
    [ -e $binfmt/register ] || mount -t binfmt_misc none $binfmt 2>/dev/null || true
    # The head of an ELF file of 64 bits for AArch64, and which bits of it count.
    printf '%s' ':headstart-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:' \
        >$binfmt/register 2>/dev/null || true
    trap 'echo -1 >/proc/sys/fs/binfmt_misc/headstart-aarch64 || true' EXIT
fi
if ! "$build/cli/headstart" --version >/dev/null 2>&1; then
    say "this machine cannot start programs for ARM by name (binfmt_misc): only --suite unit is run"
    set -- --suite unit "$@"
fi
wanted=
if [ $# -eq 0 ] || [ "$*" = "--suite unit" ]; then
    wanted=$(meson test -C "$build" --list "$@" 2>/dev/null | sed -n 's|.* / ||p')
    for name in $skipped; do wanted=$(echo "$wanted" | grep -vx "$name"); done
fi
say "tests, without: $(echo "$skipped" | tr '\n' ' ')"
code=0
HEADSTART_CACHE=$build/cache
export HEADSTART_CACHE
# shellcheck disable=SC2086 # several tests
meson test -C "$build" --no-rebuild --print-errorlogs --quiet --timeout-multiplier 20 "$@" \
    $wanted || code=1
scripts/test-summary "$build/meson-logs/testlog.json" 'for 64-bit ARM' || code=1
exit $code

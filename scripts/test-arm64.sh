#!/bin/sh
# Builds for 64-bit ARM with Debian's cross compiler and runs the tests in qemu's user mode. The
# libraries for ARM go into a folder of their own, build-arm64/root: this machine's packages stay as
# they are, but for compiler and emulator.
#
#   scripts/test-arm64.sh [OPTION OF meson test...]     such as --suite unit, or names of tests
#
# Needs apt, and its sources to have arm64 (Debian's have; Ubuntu's are elsewhere). What the emulator
# cannot do the tests find out for themselves, and skip: it limits no memory, does not tell of programs
# that are not there, and knows no seccomp.
set -eu
cd "$(dirname "$0")/.."
build=$PWD/build-arm64 root=$PWD/build-arm64/root
triplet=aarch64-linux-gnu
say() { printf '== %s\n' "$*"; }

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
c = ['$triplet-gcc', '--sysroot=$root', '-Wl,-rpath-link,$root/usr/lib/$triplet']
ar = '$triplet-ar'
strip = '$triplet-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['qemu-aarch64-static', '-L', '$root']
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
say "tests"
code=0
HEADSTART_CACHE=$build/cache HEADSTART_TEST_PATIENCE=20
export HEADSTART_CACHE HEADSTART_TEST_PATIENCE
meson test -C "$build" --no-rebuild --print-errorlogs --quiet --timeout-multiplier 20 "$@" || code=1
scripts/test-summary "$build/meson-logs/testlog.json" 'for 64-bit ARM' || code=1
exit $code

#!/bin/sh
# Installs what the build and the tests need and this machine lacks: from apt, as root or through
# sudo. Says what it installs. Where there is no apt, prints the list. Does nothing, and needs no
# network, when all is here.
#
#   scripts/setup.sh            what building and testing needs
#   scripts/setup.sh arm64      these as well: compiler, C library and emulator for 64-bit ARM
#   scripts/setup.sh deb        these as well: what makes Debian packages
#   scripts/setup.sh pip npm    these as well: what fetching a backbone or the demo's photos needs
set -eu

# What must be here, and the Debian packages that bring it. A name ending in .pc is a pkg-config
# module, one ending in .h is a header, one beginning with / is a file, `font` is any font, `headers`
# are the C library's, others are commands.
needs='meson:meson ninja:ninja-build pkg-config:pkg-config cc:gcc headers:libc6-dev python3:python3
libjpeg.pc:libjpeg-dev libpng.pc:libpng-dev
libwebp.pc:libwebp-dev libwebpdemux.pc:libwebp-dev gif_lib.h:libgif-dev jansson.pc:libjansson-dev
libcrypto.pc:libssl-dev cairo.pc:libcairo2-dev sqlite3.pc:libsqlite3-dev libarchive.pc:libarchive-dev
zlib.pc:zlib1g-dev libxxhash.pc:libxxhash-dev libcurl.pc:libcurl4-openssl-dev cmocka.pc:libcmocka-dev font:fonts-dejavu-core'
# Formats of photos that are read where these are here, and MPI, by which processes share work; a
# build without them refuses such photos, and runs as one process.
wants='libtiff-4.pc:libtiff-dev libheif.pc:libheif-dev libavif.pc:libavif-dev libjxl.pc:libjxl-dev libopenjp2.pc:libopenjp2-7-dev mpi.pc:libopenmpi-dev mpirun:openmpi-bin'
[ -z "${CI:-}" ] || needs="$needs abidiff:abigail-tools" # scripts/check-abi
for extra in "$@"; do
    case $extra in
    arm64) needs="$needs aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu
/usr/aarch64-linux-gnu/lib/libc.a:libc6-dev-arm64-cross qemu-aarch64-static:qemu-user-static" ;;
    deb) needs="$needs dpkg-buildpackage:dpkg-dev g++:build-essential dh:debhelper $wants" wants= ;;
    pip) needs="$needs pip:python3-pip" ;;
    *) needs="$needs $extra:$extra" ;;
    esac
done

has_font() {
    for file in /usr/share/fonts/truetype/*/*.ttf /usr/share/fonts/*/*.[ot]tf /Library/Fonts/*; do
        [ -e "$file" ] && return 0
    done
    command -v fc-list >/dev/null 2>&1 && [ -n "$(fc-list : file 2>/dev/null | head -n 1)" ]
}

has() {
    case $1 in
    font) has_font ;;
    /*) [ -e "$1" ] ;;
    headers) echo '#include <stdio.h>' | cc -E - >/dev/null 2>&1 ;;
    *.h) printf '#include <stdio.h>\n#include <%s>\n' "$1" | cc -E - >/dev/null 2>&1 ;;
    pip) python3 -m pip --version >/dev/null 2>&1 ;;
    *.pc) pkg-config --exists "${1%.pc}" 2>/dev/null ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing=
for need in $needs; do
    case "$missing " in *" ${need#*:} "*) continue ;; esac
    has "${need%%:*}" || missing="$missing ${need#*:}"
done
optional=
for want in $wants; do
    has "${want%%:*}" || optional="$optional ${want#*:}"
done
# for what can be missing nobody is asked for a password
if [ -z "$missing" ]; then
    [ -n "$optional" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1 || exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
    echo "headstart needs these packages (Debian's names), and there is no apt to install them:" >&2
    # shellcheck disable=SC2086 # one word a line
    printf '  %s\n' $missing >&2
    exit 1
fi
by_hand() {
    echo "headstart needs these packages; as root: apt-get install$missing" >&2
    exit 1
}
root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || by_hand
    root=sudo
fi
[ -z "$missing" ] || $root apt-get update -qq ||
    echo "apt-get update failed; trying with the lists that are here" >&2
for package in $optional; do # those that this distribution has
    apt-cache show "$package" >/dev/null 2>&1 && missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing from apt:$missing"
# shellcheck disable=SC2086 # several packages
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    $missing >/dev/null || by_hand

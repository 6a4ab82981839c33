#!/bin/sh
# Installs what the build and the tests need and this machine lacks: from apt, as root or through sudo. Says what it
# installs. Where there is no apt, prints the list. Does nothing (and needs no network) when all is here.
set -eu

# command or pkg-config module : Debian package
needs="meson:meson ninja:ninja-build pkg-config:pkg-config cc:gcc python3:python3
libjpeg.pc:libjpeg62-turbo-dev libpng.pc:libpng-dev jansson.pc:libjansson-dev
libcrypto.pc:libssl-dev cairo.pc:libcairo2-dev libarchive.pc:libarchive-dev
cmocka.pc:libcmocka-dev font:fonts-dejavu-core"

has() {
    case $1 in
    font) [ -n "$(find /usr/share/fonts /usr/local/share/fonts /Library/Fonts -name '*.[to]tf' 2>/dev/null | head -n 1)" ] ;;
    *.pc) pkg-config --exists "${1%.pc}" 2>/dev/null ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing=
for need in $needs; do
    has "${need%%:*}" || missing="$missing ${need#*:}"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "headstart needs these packages (Debian's names), and there is no apt here to install them:" >&2
    printf '  %s\n' $missing >&2
    exit 1
fi
root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "headstart needs these packages; install them as root: apt-get install$missing" >&2
        exit 1
    }
    root=sudo
fi
echo "installing from apt:$missing"
$root apt-get update -qq
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null

#!/bin/sh
# README's commands in fresh systems, each in a folder of its own made by debootstrap: what Debian 12,
# Debian 13 and Ubuntu 24.04 have of compilers, libraries and Meson. As root; takes a gigabyte each.
#
#   scripts/userlands.sh FOLDER [SYSTEM...]          bookworm, trixie, noble
#
# FOLDER keeps the systems for the next time. USERLAND_TESTS=1 runs `make test` and `make demo` as well.
# Packages are made, installed, used and taken away again: nothing of them may stay.
set -eu
cd "$(dirname "$0")/.."
folder=$(mkdir -p "$1" && cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- bookworm trixie noble
debian=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
ubuntu=${UBUNTU_MIRROR:-http://archive.ubuntu.com/ubuntu}
code=0

say() { printf '== %s\n' "$*"; }
# shellcheck disable=SC2317 # called by a trap
unmount() { umount "$folder/$system/dev/pts" "$folder/$system/proc"; }

# Ubuntu's keys are in the package ubuntu-keyring, which Debian 12 lacks: signatures are then not
# looked at, for a system that only tests are run in.
make_system() {
    keys=/usr/share/keyrings/ubuntu-archive-keyring.gpg
    case $1 in
    noble)
        check=--no-check-gpg
        [ ! -e $keys ] || check=--keyring=$keys
        debootstrap --variant=minbase $check --components=main,universe \
            --include=ca-certificates noble "$folder/noble" "$ubuntu" gutsy
        ;;
    *) debootstrap --variant=minbase --include=ca-certificates "$1" "$folder/$1" "$debian" ;;
    esac
}

# What runs inside, in a copy of the sources.
# shellcheck disable=SC2016
commands='set -eu
cd /src
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends make >/dev/null
make
if [ -n "${USERLAND_TESTS:-}" ]; then
    make test
    make demo
fi
make install
headstart --version
headstart info --devices
awk "/^\`\`\`c\$/ { on = 1; next } /^\`\`\`\$/ { on = 0 } on" README.md >embed.c
embeds() {
    cc embed.c -o embed $(pkg-config --cflags --libs headstart)
    ./embed 2>embed.log && exit 1
    grep -q model.safetensors embed.log
}
embeds
PYTHONPATH=tests/cli python3 -c "import material
material.photos(\"/tmp/photos\", 12)
material.backbone(\"/tmp/backbone\")"
trains() {
    headstart train /tmp/photos -b /tmp/backbone -o /tmp/run --quiet
    headstart eval /tmp/run/model.safetensors /tmp/photos -o /tmp/eval --quiet
}
trains
make uninstall
[ ! -e /usr/local/bin/headstart ]
make deb
apt-get install -y -qq --no-install-recommends ./build-deb/*.deb >/dev/null
hash -r
[ "$(command -v headstart)" = /usr/bin/headstart ]
embeds
trains
apt-get purge -y -qq headstart libheadstart0 libheadstart-dev >/dev/null
left=$(find /usr /etc /var -name "*headstart*")
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }'

for system in "$@"; do
    say "$system"
    if [ ! -e "$folder/$system/made" ]; then
        rm -rf "${folder:?}/$system"
        make_system "$system" >"$folder/$system.log" 2>&1 || {
            say "$system cannot be made here: $(tail -n 1 "$folder/$system.log")"
            code=1
            continue
        }
        touch "$folder/$system/made"
    fi
    rm -rf "$folder/$system/src"
    mkdir "$folder/$system/src"
    git archive HEAD | tar -x -C "$folder/$system/src"
    cp /etc/resolv.conf "$folder/$system/etc/resolv.conf" 2>/dev/null || true
    mount -t proc proc "$folder/$system/proc"
    mount -t devpts -o ptmxmode=666 devpts "$folder/$system/dev/pts"
    trap unmount EXIT
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
        USERLAND_TESTS="${USERLAND_TESTS:-}" chroot "$folder/$system" sh -c "$commands" \
        >"$folder/$system.log" 2>&1 || {
        say "$system fails"
        tail -n 20 "$folder/$system.log"
        code=1
    }
    unmount
    trap - EXIT
    grep -n 'warning:' "$folder/$system.log" || true
done
exit $code

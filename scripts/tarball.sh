#!/bin/sh
# A folder that works wherever it is put, packed: headstart-VERSION-MACHINE.tar.gz with bin, lib,
# libexec, include and share. Program, library and helpers find each other by where they are; the
# libraries of others are the system's.
#
#   scripts/tarball.sh [FOLDER TO PUT IT INTO]
set -eu
cd "$(dirname "$0")/.."
out=${1:-.}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scripts/setup.sh
{
    meson setup "$work/build" --prefix=/ --libdir=lib -Dtests=false -Dstrip=true &&
        ninja -C "$work/build" --quiet
} >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    exit 1
}
version=$(meson introspect --projectinfo "$work/build" | sed 's/.*"version": *"\([^"]*\)".*/\1/')
name=headstart-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)
DESTDIR=$work/$name meson install -C "$work/build" --no-rebuild >"$work/log"
tar -C "$work" --owner=0 --group=0 --sort=name -czf "$out/$name.tar.gz" "$name"

# It must work wherever it is unpacked: only the helper can say that a text is no weight file.
mkdir "$work/another place"
tar -C "$work/another place" -xzf "$out/$name.tar.gz"
rm -r "${work:?}/build" "${work:?}/$name"
echo text >"$work/some.pth"
moved="$work/another place/$name/bin/headstart"
HEADSTART_CACHE=$work/cache "$moved" backbones import "$work/some.pth" >"$work/log" 2>&1 || true
grep -q "is no weight file" "$work/log" || {
    echo "$moved does not work: $(cat "$work/log")" >&2
    exit 1
}
echo "$out/$name.tar.gz: $(wc -c <"$out/$name.tar.gz") bytes"

#!/bin/sh
# Debian packages of the sources as they are here: headstart, headstart-mpi, libheadstart0 and
# libheadstart-dev, and lintian's opinion of them where it is installed.
#
#   scripts/deb.sh [FOLDER TO PUT THEM INTO]          build-deb
#
# DEB_BUILD_OPTIONS as for dpkg-buildpackage; without it no tests are run, which `make test` does, and
# no packages of debugging symbols are made.
set -eu
cd "$(dirname "$0")/.."
export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-nocheck noautodbgsym}"
profiles=
case " $DEB_BUILD_OPTIONS " in *" nocheck "*) profiles=-Pnocheck ;; esac

[ -e /etc/debian_version ] || {
    echo "Debian packages are made on Debian and systems made from it; make tarball works here" >&2
    exit 1
}
root=$PWD
scripts/setup.sh deb
# shellcheck disable=SC2086 # one word or none
lacks=$(dpkg-checkbuilddeps $profiles packaging/debian/control 2>&1) || {
    echo "$lacks" | sed 's/.*nmet build dependencies: /apt-get install (as root) what packages are built with: /' >&2
    exit 1
}

mkdir -p "${1:-build-deb}"
out=$(cd "${1:-build-deb}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/headstart"
if git rev-parse >/dev/null 2>&1; then
    git ls-files -z
else
    find . \( -path './build*' -o -path ./.git \) -prune -o -type f -print0
fi | tar -cf - --null -T - | tar -xf - -C "$work/headstart"
cd "$work/headstart"
mv packaging/debian debian
version=$(sed -n "s/^ *version: '\(.*\)',/\1/p" meson.build)
maintainer=$(sed -n 's/^Maintainer: //p' debian/control)
changed=$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y meson.build)
changed=$(date -R -u -d "@${SOURCE_DATE_EPOCH:-$changed}")
cat >debian/changelog <<END
headstart ($version) unstable; urgency=medium

  * CHANGELOG.md says what changed.

 -- $maintainer  $changed
END
# shellcheck disable=SC2086
dpkg-buildpackage -b -us -uc $profiles >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    exit 1
}
cd "$work"
! command -v lintian >/dev/null 2>&1 || lintian --allow-root --fail-on error,warning ./*.changes
mv ./*.deb "$out"
ls "$out"/*.deb

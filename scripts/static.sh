#!/bin/sh
# The program as one file without shared libraries: build-static/headstart. It predicts, trains,
# evaluates and keeps features; it downloads, imports and draws nothing.
#
#   scripts/static.sh
set -eu
cd "$(dirname "$0")/.."
build="build-static"
scripts/setup.sh
[ -f $build/build.ninja ] || meson setup $build -Dstatic=true -Dprefer_static=true -Dtests=false \
    -Dparts=predict -Dsqlite=enabled -Dwebp=enabled -Dgif=enabled >$build.log || {
    tail -n 5 $build.log
    exit 1
}
rm -f $build.log
ninja -C $build --quiet
strip -o $build/headstart $build/cli/headstart
echo "$build/headstart: $(wc -c <$build/headstart) bytes, needs no library"

#!/bin/sh
# Runs every test of a build folder; the closing line counts them.
set -eu
build=$1
exec meson test -C "$build" --print-errorlogs

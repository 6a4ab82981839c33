#!/bin/sh
# Training, prediction and import with every call of each kind (memory, open, read, write, fsync,
# rename, thread) failing in turn, once and from there on. Takes hours; --seconds N ends it earlier,
# --kind and --job choose a part (tests/faults/run.py --help).
#
#   scripts/torture.sh BUILD [OPTION...]
#
# With a build under AddressSanitizer (gcc) a leak is a failure too.
set -eu
build=$1
shift
exec python3 "$(dirname "$0")/../tests/faults/run.py" "$build/cli/headstart" \
    "$build/convert/headstart-convert" "$build/tests/faults/fault_shim.so" "$@"

#!/bin/sh
# Fine-tuning stopped at every step and killed at 200 moments, each time gone on with; one of two
# processes of a job killed at 50 moments, with nothing left running; then training,
# prediction and import with every call of each kind (memory, open, read, write, fsync, rename,
# thread) failing in turn, once and from there on. Takes hours; --seconds N ends the second part
# earlier, --kind and --job choose a part of it (tests/faults/run.py --help).
#
#   scripts/torture.sh BUILD [OPTION...]
#
# With a build under AddressSanitizer (gcc) a leak is a failure too.
set -eu
build=$1
shift
here=$(dirname "$0")/../tests/faults
set -- "$build/cli/headstart" "$build/convert/headstart-convert" \
    "$build/tests/faults/fault_shim.so" "$@"
code=0
python3 "$here/resume.py" "$1" "$2" "$3" || code=$?
python3 "$here/../cli/cluster.py" "$1" 50 Cluster.test_a_process_that_is_killed || code=$?
python3 "$here/../cli/cluster_train.py" "$1" 50 ClusterTrain.test_killed_and_gone_on_with || code=$?
python3 "$here/run.py" "$@" || code=$?
exit $code

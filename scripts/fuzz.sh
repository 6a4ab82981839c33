#!/bin/sh
# libFuzzer over every entry point of tests/fuzz, one after the other.
#
#   FUZZ_SECONDS=60 scripts/fuzz.sh [TARGET...]
#
# Begins from tests/fuzz/corpus and what earlier runs found (build-fuzz/corpus). Inputs that crash,
# hang or leak are left in build-fuzz/findings, and the last line counts them. A fixed one belongs
# in tests/fuzz/corpus, which `make test` replays.
set -eu
cd "$(dirname "$0")/.."
build="build-fuzz"
seconds=${FUZZ_SECONDS:-60}
targets=${*:-$(printf '%s\n' tests/fuzz/fuzz_*.c | sed 's/.*fuzz_\(.*\)\.c/\1/')}

if ! command -v clang >/dev/null 2>&1; then
    echo "make fuzz needs clang (its libFuzzer); apt-get install clang"
    exit 1
fi
[ -f $build/build.ninja ] || CC=clang meson setup $build --buildtype=debugoptimized \
    -Db_sanitize=address,undefined -Db_lundef=false \
    -Dc_args='-fsanitize=fuzzer-no-link -DHST_IMAGE_MAX_PIXELS=1000000' >/dev/null
for t in $targets; do
    ninja -C $build --quiet "tests/fuzz/fuzz_$t"
done

# How long an input may get.
longest() { case $1 in metadata | safetensors) echo 4096 ;; *) echo 16384 ;; esac; }
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
for t in $targets; do
    mkdir -p "$build/corpus/$t" "$build/findings/$t"
    log=$build/findings/$t.log
    "$build/tests/fuzz/fuzz_$t" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2560 \
        -max_len="$(longest "$t")" -print_final_stats=1 -artifact_prefix="$build/findings/$t/" \
        "$build/corpus/$t" "tests/fuzz/corpus/$t" >"$log" 2>&1 || true
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    took=$(sed -n 's/^Done .* in \([0-9]*\) second.*/\1/p' "$log")
    echo "$t: ${runs:-?} executions, ${took:-ended early} s"
done
open=$(find $build/findings -mindepth 2 -type f | wc -l)
echo "$open findings open in $build/findings"
[ "$open" -eq 0 ]

#!/bin/sh
# 20,000 damaged copies of every file that tests/fuzz/meson.build makes mutants of, under
# AddressSanitizer and UndefinedBehaviorSanitizer: no crash, no leak, none over two seconds.
#
#   MUTANTS=20000 scripts/mutants.sh [TARGET...]
set -eu
cd "$(dirname "$0")/.."
build="build-asan"
targets=${*:-archive decode keras onnx pth safetensors savedmodel sharded tfjs tflite}
[ -f $build/build.ninja ] ||
    meson setup $build -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 >/dev/null
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export HEADSTART_DECODER="$PWD/$build/decode/headstart-decode"
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
for t in $targets; do
    ninja -C $build --quiet "tests/fuzz/mutants_$t" decode/headstart-decode
    from=tests/fuzz/corpus/$t
    [ "$t" != decode ] || from=tests/golden/decoders # through the helper, which may die of them
    find "$from" -type f ! -name '*.png' ! -name '*.md' -exec "$build/tests/fuzz/mutants_$t" "$t" "${MUTANTS:-20000}" {} +
done

#!/bin/sh
# What `make test` leaves to `make check`, and to CI: formatting, spelling, lint, a clang build
# without warnings, an installation, and the unit and command-line tests under the sanitizers.
#
#   scripts/check.sh [all]      all: every test under AddressSanitizer, also the slow ones, and all
#                               unit and command-line tests under ThreadSanitizer
#
# A tool that is not here is named and its part left out; where CI is set, that is a failure.
set -eu
cd "$(dirname "$0")/.."
code=0
ruff_version=0.12.0

say() { printf '== %s\n' "$*"; }
have() {
    command -v "$1" >/dev/null 2>&1 && return 0
    say "left out: no $1 here${CI:+, which is a failure in CI}"
    [ -z "${CI:-}" ] || code=1
    return 1
}
configured() { [ -f "$1/build.ninja" ] || meson setup "$@" >/dev/null; }
# tests BUILD LABEL OPTION-OF-MESON-TEST...
tests() {
    build=$1 label=$2
    shift 2
    $unmoved meson test -C "$build" --no-rebuild --print-errorlogs --quiet --timeout-multiplier 4 \
        "$@" || code=1
    scripts/test-summary "$build/meson-logs/testlog.json" "$label" || code=1
}
unmoved=

scripts/setup.sh clang clang-format clang-tidy shellcheck codespell pip || true

if have clang-format; then
    say formatting
    git ls-files -z '*.c' '*.h' | xargs -0 clang-format --dry-run --Werror || code=1
fi

say layers
scripts/check-layers || code=1

if have abidiff; then say "the ABI of the last tag" && scripts/check-abi || code=1; fi

if have shellcheck; then
    say shellcheck
    git ls-files -z scripts examples .ci | xargs -0 grep -lZ '^#!/bin/sh' | xargs -0 shellcheck ||
        code=1
fi

if have codespell; then
    say spelling
    # -L: names of variables, and words that are cut off or wrong on purpose.
    git ls-files -z ':!tests/golden' ':!tests/fuzz/corpus' |
        xargs -0 codespell -L nd,ot,fro,trian,bloc,fpr,wee || code=1
fi

ruff=$(command -v ruff || echo build-ruff/bin/ruff)
[ -x "$ruff" ] ||
    python3 -m pip install -q --target build-ruff ruff==$ruff_version >/dev/null 2>&1 || true
if have "$ruff"; then
    say ruff
    { git ls-files -z '*.py' && git grep -lz '^#!.*python3' scripts examples; } |
        xargs -0 "$ruff" check --quiet --no-cache || code=1
fi

if have clang; then
    say clang, warnings as errors
    CC=clang configured build-clang --werror
    ninja -C build-clang --quiet || code=1
fi

if have clang-tidy && [ -d build-clang ]; then
    say clang-tidy
    # Only what this machine compiles, each file once; bodies that are included have no entry.
    sed -n 's|.*"file": "\.\./\(.*\.c\)".*|\1|p' build-clang/compile_commands.json | sort -u |
        xargs -P "$(nproc)" -n 8 clang-tidy -p build-clang --quiet 2>/dev/null || code=1
fi

say "the kernels for 64-bit ARM"
scripts/test-neon.sh || code=1

say an installation into a prefix of its own
scripts/test-install || code=1

say a build with few libraries
scripts/test-parts || code=1

if [ "${1:-}" = all ]; then
    say the program as one file
    scripts/test-static || code=1
fi

say gcc, warnings as errors, AddressSanitizer and UBSan
configured build-asan --werror -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1
ninja -C build-asan --quiet || exit 1
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
suites='--suite unit --suite cli'
[ "${1:-}" = all ] && suites=
# shellcheck disable=SC2086 # several words
tests build-asan 'under the sanitizers' $suites

# Not -Werror: with this sanitizer gcc sees variables as unset that are not. setarch: kernels that
# place memory at random in a wider range than gcc's runtime knows of. Without `all` the tests are
# those in which threads meet; the whole takes some ten times as long as without the sanitizer.
say gcc, ThreadSanitizer
configured build-tsan -Db_sanitize=thread -Db_lundef=false -Doptimization=1
setarch "$(uname -m)" -R true 2>/dev/null && unmoved="setarch $(uname -m) -R"
meet='executor executor_alone threads prediction abi_views open'
if [ "${1:-}" = all ]; then
    ninja -C build-tsan --quiet || exit 1
    tests build-tsan 'under ThreadSanitizer' --suite unit --suite cli
else
    targets=
    for test in $meet; do targets="$targets tests/test_$test"; done
    # shellcheck disable=SC2086 # several words
    ninja -C build-tsan --quiet $targets || exit 1
    # shellcheck disable=SC2086
    tests build-tsan 'under ThreadSanitizer' $meet
fi
exit $code

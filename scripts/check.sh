#!/bin/sh
# What `make test` leaves to `make check`, and to CI: formatting, a clang build without warnings,
# an installation, and the unit and command-line tests under AddressSanitizer and UBSan. A tool that is not here is
# named and its part left out; whatever can run must pass.
#
#   scripts/check.sh [all]      all: every test under the sanitizers, also the slow ones
set -eu
cd "$(dirname "$0")/.."
code=0

say() { printf '== %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1 || { say "left out: no $1 here"; return 1; }; }
configured() { [ -f "$1/build.ninja" ] || meson setup "$@" >/dev/null; }

if have clang-format; then
    say formatting
    find include src cli convert examples tests -name '*.[ch]' -print0 |
        xargs -0 clang-format --dry-run --Werror || code=1
fi

say layers
scripts/check-layers || code=1

if have abidiff; then say "the ABI of the last tag" && scripts/check-abi || code=1; fi

if have clang; then
    say clang, warnings as errors
    CC=clang configured build-clang --werror
    ninja -C build-clang --quiet || code=1
fi

say an installation into a prefix of its own
scripts/test-install || code=1

say gcc, warnings as errors, AddressSanitizer and UBSan
configured build-asan --werror -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1
ninja -C build-asan --quiet || exit 1
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
suites='--suite unit --suite cli'
[ "${1:-}" = all ] && suites=
# shellcheck disable=SC2086 # several words
meson test -C build-asan --no-rebuild --print-errorlogs --quiet --timeout-multiplier 4 $suites ||
    code=1
scripts/test-summary build-asan/meson-logs/testlog.json 'under the sanitizers' || code=1
exit $code

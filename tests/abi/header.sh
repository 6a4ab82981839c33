#!/bin/sh
# headstart.h must be usable from C and C++, of every standard since C99 and C++11 and with every
# compiler that is here: compiles use.c without a warning, links it with the library and runs it.
#
#   tests/abi/header.sh INCLUDE LIBRARY [CC CXX]
#
# CC and CXX, each one word with its options, are the only ones where the library is for another
# machine.
set -eu
include=$1 library=$(realpath "$2") cross_c=${3:-} cross_cpp=${4:-}
source=$(dirname "$0")/use.c
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm -D "$library" | grep -q __asan_init && link=no || link=yes # else the compilers had to agree
n=0

try() { # COMPILER LANGUAGE STANDARD
    command -v "${1%% *}" >/dev/null 2>&1 || return 0
    # shellcheck disable=SC2086 # with its options
    $1 -x "$2" -std="$3" -Wall -Wextra -Wpedantic -Wshadow -Werror -I"$include" \
        -c "$source" -o "$work/use.o"
    n=$((n + 1))
    [ "$link" = yes ] || return 0
    # shellcheck disable=SC2086
    $1 "$work/use.o" -o "$work/use" "$library" -Wl,-rpath,"$(dirname "$library")"
    ${MESON_EXE_WRAPPER:-} "$work/use"
}

for standard in c99 c11 c17; do
    try "${cross_c:-gcc}" c $standard
    [ -n "$cross_c" ] || try clang c $standard
done
for standard in c++11 c++20; do
    try "${cross_cpp:-g++}" c++ $standard
    [ -n "$cross_cpp" ] || try clang++ c++ $standard
done
echo "$n compilers and standards"
[ $n -gt 0 ]

#!/bin/sh
# Compiles the kernels and their cases for AArch64 and runs them in qemu's user mode. Needs no
# library for AArch64 but C's.
#
#   scripts/test-neon.sh
set -eu
cd "$(dirname "$0")/.."
cc=${CC_AARCH64:-aarch64-linux-gnu-gcc}
qemu=${QEMU_AARCH64:-qemu-aarch64-static}
scripts/setup.sh arm64
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
set -- -std=gnu11 -O2 -D_GNU_SOURCE -Wall -Wextra -Wno-missing-field-initializers -Werror -Wshadow -Wvla \
    -ffp-contract=off -Iinclude -Isrc
$cc "$@" -march=armv8.2-a+bf16 -c -o "$out/neonbf16.o" src/kernels/isa_neonbf16.c
$cc "$@" -march=armv8.2-a+dotprod -c -o "$out/neondot.o" src/kernels/isa_neondot.c
$cc "$@" -static -o "$out/kernels" "$out/neonbf16.o" "$out/neondot.o" \
    src/kernels/isa_portable.c src/kernels/isa_int8.c src/kernels/isa_neon.c src/kernels/present_arm64.c \
    src/kernels/arm_bf16_linux.c src/kernels/kernels.c tests/kernels/cases.c tests/kernels/act_cases.c tests/kernels/grad_cases.c tests/kernels/grouped_cases.c tests/kernels/norm_cases.c \
    tests/kernels/odd_cases.c tests/kernels/token_cases.c tests/kernels/winograd_cases.c tests/kernels/low_cases.c tests/kernels/int8_cases.c tests/kernels/guard.c tests/kernels/plain.c -lm
$qemu "$out/kernels"

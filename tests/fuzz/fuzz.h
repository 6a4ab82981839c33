/* fuzz.h - the entry point that libFuzzer and the mutant tests call: any bytes, no crash. */
#ifndef HST_TESTS_FUZZ_H
#define HST_TESTS_FUZZ_H
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
#endif

/* str.h - what strings are made of: UTF-8 characters, endings. */
#ifndef HST_BASE_STR_H
#define HST_BASE_STR_H
#include <stddef.h>
#include <stdint.h>

/* The UTF-8 character at s: its bytes (1..4) with *code set, or 0 where it is broken (RFC 3629:
 * the shortest form, no surrogates, nothing over U+10FFFF). The NUL at the end is a character. */
size_t hst_utf8_char(const char *s, uint32_t *code);
int hst_is_utf8(const char *s);
/* The bytes (1..4) of a code point, which is no surrogate and at most U+10FFFF, at out. */
size_t hst_utf8_put(uint32_t code, char out[4]);

/* 1 when s ends with that, or is it. */
int hst_ends_with(const char *s, const char *ending);
/* The same with ASCII letters of either case in s; the ending is in small letters. */
int hst_ends_with_any_case(const char *s, const char *ending);
/* A decimal number as a text: digits, a point, an exponent and signs, in any locale; behind it the
 * unit may stand (NULL: none). 0: it is none. */
int hst_read_real(const char *text, const char *unit, double *out);
#endif

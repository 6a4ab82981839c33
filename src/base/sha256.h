/* sha256.h - SHA-256 over libcrypto. */
#ifndef HST_BASE_SHA256_H
#define HST_BASE_SHA256_H
#include "base/err.h"

#define HST_SHA256_HEX 65 /* 64 digits and a NUL */

/* A digest to keep; all zeros: none (no content is known whose SHA-256 that is). */
typedef struct hst_digest {
    uint8_t byte[32];
} hst_digest;
int hst_digest_is_set(const hst_digest *d);
/* Its hex digits; "" where it is none. Returns hex. */
const char *hst_digest_text(const hst_digest *d, char hex[HST_SHA256_HEX]);

typedef struct hst_sha256 hst_sha256;
HST_CHECK hst_sha256 *hst_sha256_new(hst_err *err);
HST_CHECK int hst_sha256_add(hst_sha256 *h, const void *p, size_t n, hst_err *err);
/* Adds a string and its NUL, so that neighbouring strings cannot run into one another. */
HST_CHECK int hst_sha256_adds(hst_sha256 *h, const char *s, hst_err *err);
/* A second one that has seen the same so far. */
HST_CHECK hst_sha256 *hst_sha256_copy(const hst_sha256 *h, hst_err *err);
HST_CHECK int hst_sha256_end(hst_sha256 *h, uint8_t digest[32], hst_err *err); /* once */
void hst_sha256_free(hst_sha256 *h);

HST_CHECK int hst_sha256_bytes(const void *p, size_t n, uint8_t digest[32], hst_err *err);
HST_CHECK int hst_sha256_file(const char *path, char hex[HST_SHA256_HEX], hst_err *err);
void hst_hex(const uint8_t digest[32], char hex[HST_SHA256_HEX]);
/* The other way: 1, or 0 where hex does not begin with 64 digits (a to f in small letters). */
int hst_unhex(const char *hex, uint8_t digest[32]);
#endif

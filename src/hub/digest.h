/* digest.h - the hashes that hubs know their files by. */
#ifndef HST_HUB_DIGEST_H
#define HST_HUB_DIGEST_H
#include "base/sha256.h"

/* What is known of a file's content; "" where nothing is. Small hex digits. */
typedef struct hst_hashes {
    char sha256[65];
    char sha256_start[65]; /* its first digits (torchvision's file names) */
    char git_sha1[41];     /* of "blob <length>\0" and the content (Hugging Face's small files) */
    char md5[33];
} hst_hashes;

/* Compares a file with all that is known of it, and gives its SHA-256. HST_EHASH with both hashes
 * named; what: for the message. */
HST_CHECK int hst_hashes_check(const char *path, const char *what, const hst_hashes *known,
                               char sha256[65], hst_err *err);
/* 1 when any strong enough to tell a damaged file is known. */
int hst_hashes_known(const hst_hashes *known);

/* "crc32c=..., md5=<base64>" -> hex; 0 when there is no md5 in it. */
int hst_goog_md5(const char *text, char md5[33]);
/* "Basic <base64 of user:key>", to be freed. */
HST_CHECK char *hst_basic_authorization(const char *user, const char *key, hst_err *err);
/* 1 when text is n small hex digits. */
int hst_is_hex(const char *text, size_t n);
/* Hex digest of a text: SHA-1 (40 digits; TF Hub's names of folders). */
HST_CHECK int hst_sha1_text(const char *text, char out[41], hst_err *err);
#endif

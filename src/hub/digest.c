#include "hub/digest.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024, N_HASHES = 3 };

int hst_is_hex(const char *text, size_t n)
{
    return strlen(text) == n && strspn(text, "0123456789abcdef") == n;
}

int hst_hashes_known(const hst_hashes *k)
{
    return k->sha256[0] || k->sha256_start[0] || k->git_sha1[0] || k->md5[0];
}

static void to_hex(const uint8_t *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static int no_hash(hst_err *err)
{
    return hst_fail(err, HST_EMEM, "out of memory: a hash cannot be computed");
}

/* Up to three hashes of one reading; those not wanted are NULL. */
typedef struct hashing {
    EVP_MD_CTX *evp[N_HASHES];
} hashing;

static int hashing_begin(hashing *h, const hst_hashes *known, int64_t bytes, hst_err *err)
{
    char head[48];
    int n = snprintf(head, sizeof head, "blob %lld", (long long)bytes) + 1; /* with its NUL */
    const EVP_MD *md[N_HASHES] = {EVP_sha256(), known->git_sha1[0] ? EVP_sha1() : NULL,
                                  known->md5[0] ? EVP_md5() : NULL};
    for (int i = 0; i < N_HASHES; i++) {
        if (!md[i])
            continue;
        h->evp[i] = EVP_MD_CTX_new();
        if (!h->evp[i] || EVP_DigestInit_ex(h->evp[i], md[i], NULL) != 1)
            return no_hash(err);
    }
    if (h->evp[1] && EVP_DigestUpdate(h->evp[1], head, (size_t)n) != 1)
        return no_hash(err);
    return 0;
}

static int hashing_add(hashing *h, const void *p, size_t n, hst_err *err)
{
    for (int i = 0; i < N_HASHES; i++)
        if (h->evp[i] && EVP_DigestUpdate(h->evp[i], p, n) != 1)
            return no_hash(err);
    return 0;
}

static int hashing_end(hashing *h, hst_hashes *got, hst_err *err)
{
    char *out[N_HASHES] = {got->sha256, got->git_sha1, got->md5};
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n;
    for (int i = 0; i < N_HASHES; i++) {
        if (!h->evp[i])
            continue;
        if (EVP_DigestFinal_ex(h->evp[i], digest, &n) != 1)
            return no_hash(err);
        to_hex(digest, n, out[i]);
    }
    return 0;
}

static int hash_fd(int fd, hashing *h, const char *path, hst_err *err)
{
    uint8_t *block = hst_alloc(1, BLOCK, err);
    int rc = block ? 0 : HST_EMEM;
    while (rc == 0) {
        ssize_t got = read(fd, block, BLOCK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = hst_fail_errno(err, HST_EIO, errno, "%s cannot be read", path);
        if (got <= 0)
            break;
        rc = hashing_add(h, block, (size_t)got, err);
    }
    free(block);
    return rc;
}

static int compute(const char *path, const hst_hashes *known, hst_hashes *got, hst_err *err)
{
    struct stat st;
    hashing h = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be opened", path);
    int rc = fstat(fd, &st) == 0 ? 0 : hst_fail_errno(err, HST_EIO, errno, "%s", path);
    if (rc == 0 && !OSSL_LIB_CTX_get0_global_default()) /* see base/sha256.c */
        rc = no_hash(err);
    rc = rc ? rc : hashing_begin(&h, known, (int64_t)st.st_size, err);
    rc = rc ? rc : hash_fd(fd, &h, path, err);
    rc = rc ? rc : hashing_end(&h, got, err);
    for (int i = 0; i < N_HASHES; i++)
        EVP_MD_CTX_free(h.evp[i]);
    close(fd);
    return rc;
}

static int differ(const char *what, const char *kind, const char *got, const char *want,
                  hst_err *err)
{
    return hst_fail(err, HST_EHASH, "%s has %s %s, expected %s: nothing of it was kept", what, kind,
                    got, want);
}

int hst_hashes_check(const char *path, const char *what, const hst_hashes *known, char sha256[65],
                     hst_err *err)
{
    hst_hashes got = {0};
    int rc = compute(path, known, &got, err);
    if (rc)
        return rc;
    if (known->sha256[0] && strcmp(got.sha256, known->sha256) != 0)
        return differ(what, "SHA-256", got.sha256, known->sha256, err);
    if (strncmp(got.sha256, known->sha256_start, strlen(known->sha256_start)) != 0)
        return differ(what, "SHA-256", got.sha256, known->sha256_start, err);
    if (known->git_sha1[0] && strcmp(got.git_sha1, known->git_sha1) != 0)
        return differ(what, "git SHA-1", got.git_sha1, known->git_sha1, err);
    if (known->md5[0] && strcmp(got.md5, known->md5) != 0)
        return differ(what, "MD5", got.md5, known->md5, err);
    memcpy(sha256, got.sha256, sizeof got.sha256);
    return 0;
}

int hst_goog_md5(const char *text, char md5[33])
{
    enum { BASE64 = 24, BYTES = 18 }; /* 16 bytes and two of padding */
    uint8_t raw[BYTES];
    const char *at = strstr(text, "md5=");
    if (!at || strcspn(at + 4, ", ") != BASE64 || strncmp(at + 4 + BASE64 - 2, "==", 2) != 0 ||
        EVP_DecodeBlock(raw, (const unsigned char *)at + 4, BASE64) != BYTES)
        return 0;
    to_hex(raw, 16, md5);
    return 1;
}

char *hst_basic_authorization(const char *user, const char *key, hst_err *err)
{
    size_t n = strlen(user) + strlen(key) + 1;
    char *plain = n < 4096 ? hst_resize(NULL, n + 1, 1, err) : NULL;
    char *out = plain ? hst_resize(NULL, 6 + 4 * ((n + 2) / 3) + 1, 1, err) : NULL;
    if (out) {
        snprintf(plain, n + 1, "%s:%s", user, key);
        memcpy(out, "Basic ", 6);
        EVP_EncodeBlock((unsigned char *)out + 6, (const unsigned char *)plain, (int)n);
    }
    free(plain);
    return out;
}

int hst_sha1_text(const char *text, char out[41], hst_err *err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n;
    if (!OSSL_LIB_CTX_get0_global_default() ||
        EVP_Digest(text, strlen(text), digest, &n, EVP_sha1(), NULL) != 1)
        return no_hash(err);
    to_hex(digest, n, out);
    return 0;
}

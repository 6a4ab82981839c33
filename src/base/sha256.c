#include "base/sha256.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hst_sha256 {
    EVP_MD_CTX *evp;
};

static int no_hash(hst_err *err)
{
    return hst_fail(err, HST_EMEM, "out of memory: SHA-256 cannot be computed");
}

/* Where there was no memory to set itself up, libcrypto would follow a null pointer. */
static int is_ready(void)
{
    return OSSL_LIB_CTX_get0_global_default() != NULL;
}

hst_sha256 *hst_sha256_new(hst_err *err)
{
    hst_sha256 *h = hst_alloc(1, sizeof *h, err);
    if (!h)
        return NULL;
    h->evp = is_ready() ? EVP_MD_CTX_new() : NULL;
    if (!h->evp || EVP_DigestInit_ex(h->evp, EVP_sha256(), NULL) != 1) {
        no_hash(err);
        hst_sha256_free(h);
        return NULL;
    }
    return h;
}

hst_sha256 *hst_sha256_copy(const hst_sha256 *h, hst_err *err)
{
    hst_sha256 *copy = hst_sha256_new(err);
    if (!copy || EVP_MD_CTX_copy_ex(copy->evp, h->evp) == 1)
        return copy;
    no_hash(err);
    hst_sha256_free(copy);
    return NULL;
}

int hst_sha256_add(hst_sha256 *h, const void *p, size_t n, hst_err *err)
{
    return EVP_DigestUpdate(h->evp, p, n) == 1 ? 0 : no_hash(err);
}

int hst_sha256_adds(hst_sha256 *h, const char *s, hst_err *err)
{
    return hst_sha256_add(h, s, strlen(s) + 1, err);
}

int hst_sha256_end(hst_sha256 *h, uint8_t digest[32], hst_err *err)
{
    return EVP_DigestFinal_ex(h->evp, digest, NULL) == 1 ? 0 : no_hash(err);
}

void hst_sha256_free(hst_sha256 *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->evp);
    free(h);
}

int hst_sha256_bytes(const void *p, size_t n, uint8_t digest[32], hst_err *err)
{
    int done = is_ready() && EVP_Digest(p, n, digest, NULL, EVP_sha256(), NULL) == 1;
    return done ? 0 : no_hash(err);
}

static int hash_fd(int fd, hst_sha256 *h, void *block, size_t size, hst_err *err)
{
    for (;;) {
        ssize_t got = read(fd, block, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return hst_fail_errno(err, HST_EIO, errno, "cannot be read");
        if (got == 0)
            return 0;
        int rc = hst_sha256_add(h, block, (size_t)got, err);
        if (rc)
            return rc;
    }
}

int hst_sha256_file(const char *path, char hex[HST_SHA256_HEX], hst_err *err)
{
    enum { BLOCK = 256 * 1024 };
    uint8_t digest[32];
    int rc = HST_EMEM;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be opened", path);
    void *block = hst_alloc(1, BLOCK, err);
    hst_sha256 *h = block ? hst_sha256_new(err) : NULL;
    if (h)
        rc = hash_fd(fd, h, block, BLOCK, err);
    if (h && rc == 0)
        rc = hst_sha256_end(h, digest, err);
    if (rc == 0)
        hst_hex(digest, hex);
    hst_sha256_free(h);
    free(block);
    close(fd);
    return rc;
}

const char *hst_digest_text(const hst_digest *d, char hex[HST_SHA256_HEX])
{
    hex[0] = 0;
    if (hst_digest_is_set(d))
        hst_hex(d->byte, hex);
    return hex;
}

void hst_hex(const uint8_t digest[32], char hex[HST_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hst_unhex(const char *hex, uint8_t digest[32])
{
    for (int i = 0; i < 32; i++) {
        int high = hex_digit(hex[2 * i]), low = high < 0 ? -1 : hex_digit(hex[2 * i + 1]);
        if (low < 0)
            return 0;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    return 1;
}

int hst_digest_is_set(const hst_digest *d)
{
    static const hst_digest none;
    return memcmp(d, &none, sizeof none) != 0;
}

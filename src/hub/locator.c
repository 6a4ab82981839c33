#include "hub/locator.h"
#include "base/file.h"
#include "hub/catalog.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_PARTS = 12, MAX_PART = 200 };

static const char part_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* 1 and the rest when text starts so. */
static int starts(const char *text, const char *with, const char **rest)
{
    size_t n = strlen(with);
    if (strncasecmp(text, with, n) != 0)
        return 0;
    *rest = text + n;
    return 1;
}

int hst_locator_has_scheme(const char *text)
{
    static const char *const schemes[] = {"hf:",     "keras:",  "torchvision:", "https://",
                                          "http://", "kaggle:", "tfhub:"};
    const char *rest;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (starts(text, schemes[i], &rest))
            return 1;
    return 0;
}

/* A text split at slashes; each part of file-name letters, none hidden. 0 when it is anything else,
 * also with an empty part. */
static size_t split(const char *text, char part[MAX_PARTS][MAX_PART])
{
    size_t n = 0;
    for (const char *s = text;; s++) {
        size_t length = strspn(s, part_letters);
        if (n == MAX_PARTS || length == 0 || length >= MAX_PART || s[0] == '.' ||
            (s[length] && s[length] != '/'))
            return 0;
        memcpy(part[n], s, length);
        part[n++][length] = 0;
        s += length;
        if (!*s)
            return n;
    }
}

/* snprintf that fails where it would cut. */
static int HST_PRINTF(3, 4) put(char *out, size_t cap, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, cap, fmt, ap);
    va_end(ap);
    return n >= 0 && (size_t)n < cap;
}
#define PUT(out, ...) put(out, sizeof(out), __VA_ARGS__)

static int wrong(const char *text, const char *want, hst_err *err)
{
    return hst_fail(err, HST_EARG, "%s is no name to fetch by: expected %s", text, want);
}

/* ---- Hugging Face ---- */

static int parse_hf(const char *text, const char *rest, hst_locator *p, hst_err *err)
{
    static const char want[] = "hf:org/name, hf:org/name@revision or hf:org/name/file";
    char part[MAX_PARTS][MAX_PART], left[HST_URL_MAX], other[MAX_PARTS][MAX_PART];
    const char *at = strrchr(rest, '@');
    if (!PUT(left, "%.*s", (int)(at ? at - rest : (long)strlen(rest)), rest))
        return wrong("a text that long", want, err);
    size_t n = split(left, part);
    if (n < 2 || (at && split(at + 1, other) == 0) || strlen(part[0]) + strlen(part[1]) > 190)
        return wrong(text, want, err);
    p->kind = HST_HF;
    int ok = PUT(p->repo, "%s/%s", part[0], part[1]) &&
             PUT(p->revision, "%s", at ? at + 1 : "main") &&
             PUT(p->file, "%s", n > 2 ? left + strlen(p->repo) + 1 : "") &&
             PUT(p->name, "hf:%s%s%s", left, strcmp(p->revision, "main") == 0 ? "" : "@",
                 strcmp(p->revision, "main") == 0 ? "" : p->revision);
    return ok ? 1 : wrong(text, want, err);
}

/* A page or file of the hub, copied from a browser: /org/name[/blob|resolve|tree/revision/path]. */
static int parse_hf_address(const char *text, const char *rest, hst_locator *p, hst_err *err)
{
    char part[MAX_PARTS][MAX_PART], name[HST_URL_MAX], plain[HST_URL_MAX];
    if (!PUT(plain, "%.*s", (int)strcspn(rest, "?#"), rest))
        return wrong("a text that long", "an address", err);
    size_t n = strlen(plain);
    if (n && plain[n - 1] == '/')
        plain[n - 1] = 0;
    n = split(plain, part);
    if (n == 2)
        return parse_hf(text, plain, p, err);
    int kind = n >= 4 && (strcmp(part[2], "blob") == 0 || strcmp(part[2], "resolve") == 0 ||
                          strcmp(part[2], "tree") == 0);
    if (!kind)
        return 0; /* some other file */
    const char *path = plain;
    for (int i = 0; i < 4 && path; i++) {
        path = strchr(path, '/');
        path = path ? path + 1 : NULL;
    }
    if (!PUT(name, "%s/%s%s%s@%s", part[0], part[1], path ? "/" : "", path ? path : "", part[3]))
        return wrong("a text that long", "an address", err);
    return parse_hf(text, name, p, err);
}

/* ---- files by address ---- */

static int parse_keras(const char *rest, hst_locator *p, hst_err *err)
{
    int rc = hst_keras_file(rest, p->url, sizeof p->url, p->known.md5, &p->bytes, err);
    if (rc)
        return rc;
    p->kind = HST_KERAS;
    hst_url_file(p->url, p->file, sizeof p->file);
    return PUT(p->name, "keras:%s", rest) && PUT(p->elsewhere, "models/%s", p->file)
               ? 1
               : wrong("a text that long", "keras:NAME", err);
}

static int parse_torchvision(const char *rest, hst_locator *p, hst_err *err)
{
    const char *file = hst_torchvision_file(rest, err);
    if (!file)
        return HST_EARG;
    p->kind = HST_TORCHVISION;
    const char *digits = strrchr(file, '-') + 1; /* torch.hub: -([a-f0-9]*)\. */
    snprintf(p->known.sha256_start, sizeof p->known.sha256_start, "%.*s", (int)strcspn(digits, "."),
             digits);
    return PUT(p->file, "%s", file) && PUT(p->name, "torchvision:%s", rest) &&
                   PUT(p->url, "https://download.pytorch.org/models/%s", file) &&
                   PUT(p->elsewhere, "hub/checkpoints/%s", file)
               ? 1
               : wrong("a text that long", "torchvision:NAME", err);
}

/* The folder in TF Hub's cache is called by the SHA-1 of the address, without the query. */
static int parse_tfhub(const char *text, const char *rest, hst_locator *p, hst_err *err)
{
    static const char want[] = "https://tfhub.dev/publisher/model/version";
    char part[MAX_PARTS][MAX_PART], handle[HST_URL_MAX];
    if (!PUT(handle, "%.*s", (int)strcspn(rest, "?#"), rest))
        return wrong("a text that long", want, err);
    size_t n = split(handle, part);
    if (n < 2)
        return wrong(text, want, err);
    p->kind = HST_TFHUB;
    int ok = PUT(p->name, "https://tfhub.dev/%s", handle) &&
             PUT(p->url, "https://tfhub.dev/%s?tf-hub-format=compressed", handle) &&
             PUT(p->file, "%s-%s.tar.gz", part[n - 2], part[n - 1]);
    char digest[41];
    int rc = ok ? hst_sha1_text(p->name, digest, err) : wrong("a text that long", want, err);
    return rc ? rc : PUT(p->elsewhere, "%s", digest);
}

/* ---- Kaggle Models ---- */

/* What stands third in a handle. */
static const char *framework(const char *text)
{
    static const char *const all[] = {"tensorFlow1", "tensorFlow2", "tfLite",       "tfJs",
                                      "pyTorch",     "keras",       "transformers", "jax",
                                      "flax",        "onnx",        "other"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcasecmp(all[i], text) == 0)
            return all[i];
    return NULL;
}

static int parse_kaggle(const hst_hub *hub, const char *text, const char *rest, hst_locator *p,
                        hst_err *err)
{
    static const char want[] = "owner/model/framework/variation or .../version";
    char part[MAX_PARTS][MAX_PART], plain[HST_URL_MAX];
    const char *word[5] = {0};
    size_t n_words = 0;
    if (!PUT(plain, "%.*s", (int)strcspn(rest, "?#"), rest))
        return wrong("a text that long", want, err);
    size_t n = split(plain, part);
    for (size_t i = 0; i < n; i++) { /* the long form of an address names what follows */
        int label = (i == 2 && strcmp(part[i], "frameworks") == 0) ||
                    (i == 4 && strcmp(part[i], "variations") == 0) ||
                    (i == 6 && strcmp(part[i], "versions") == 0);
        if (!label && n_words < 5)
            word[n_words++] = part[i];
    }
    const char *frame = n_words >= 4 ? framework(word[2]) : NULL;
    const char *version = n_words == 5 ? word[4] : "";
    if (!frame || strspn(version, "0123456789") != strlen(version))
        return wrong(text, want, err);
    p->kind = HST_KAGGLE;
    const char *slash = *version ? "/" : "";
    int ok = PUT(p->repo, "%s/%s/%s/%s", word[0], word[1], frame, word[3]) &&
             PUT(p->revision, "%s", version) &&
             PUT(p->name, "https://www.kaggle.com/models/%s%s%s", p->repo, slash, version) &&
             PUT(p->url, "%s/api/v1/models/%s%s%s/download",
                 hub ? hub->kaggle_endpoint : "https://www.kaggle.com", p->repo, slash, version) &&
             PUT(p->file, "%s-%s%s%s.tar.gz", word[1], word[3], *version ? "-" : "", version) &&
             PUT(p->elsewhere, "models/%s%s%s", p->repo, slash, version);
    return ok ? 1 : wrong("a text that long", want, err);
}

/* ---- all ---- */

static int parse_address(const hst_hub *hub, const char *text, hst_locator *p, hst_err *err)
{
    const char *rest;
    int rc = hst_url_check(text, err);
    if (rc)
        return rc;
    if (starts(text, "https://tfhub.dev/", &rest))
        return parse_tfhub(text, rest, p, err);
    if (starts(text, "https://www.kaggle.com/models/", &rest) ||
        starts(text, "https://kaggle.com/models/", &rest))
        return parse_kaggle(hub, text, rest, p, err);
    if (starts(text, "https://huggingface.co/", &rest) || starts(text, "https://hf.co/", &rest))
        rc = parse_hf_address(text, rest, p, err);
    if (rc)
        return rc;
    p->kind = HST_WEB;
    hst_url_file(text, p->file, sizeof p->file);
    snprintf(p->name, sizeof p->name, "%s", text);
    snprintf(p->url, sizeof p->url, "%s", text);
    return 1;
}

/* publisher/model/.../version or owner/model/framework/variation[/version], without any scheme. */
static int parse_handle(const hst_hub *hub, const char *text, hst_locator *p, hst_err *err)
{
    char part[MAX_PARTS][MAX_PART];
    const char *rest;
    if (starts(text, "timm/", &rest))
        return parse_hf(text, text, p, err);
    size_t n = split(text, part);
    if ((n == 4 || n == 5) && framework(part[2]))
        return parse_kaggle(hub, text, text, p, err);
    if (n >= 3 && strspn(part[n - 1], "0123456789") == strlen(part[n - 1]))
        return parse_tfhub(text, text, p, err);
    return 0;
}

int hst_locator_parse(const hst_hub *hub, const char *text, hst_locator *out, hst_err *err)
{
    const char *rest;
    *out = (hst_locator){0};
    if (hst_url_is(text))
        return parse_address(hub, text, out, err);
    if (starts(text, "hf:", &rest))
        return parse_hf(text, rest, out, err);
    if (starts(text, "keras:", &rest))
        return parse_keras(rest, out, err);
    if (starts(text, "torchvision:", &rest))
        return parse_torchvision(rest, out, err);
    if (starts(text, "tfhub:", &rest))
        return parse_tfhub(text, rest, out, err);
    if (starts(text, "kaggle:", &rest))
        return parse_kaggle(hub, text, rest, out, err);
    return parse_handle(hub, text, out, err);
}

/* huggingface.c - repositories of the Hugging Face hub, kept in the layout of its own program:
 *
 *   <cache>/models--org--name/blobs/<etag>                   content, named by its hash
 *                            /refs/<revision>                the commit a branch stands for
 *                            /snapshots/<commit>/<path>      link to ../../blobs/<etag>
 *   <cache>/.locks/models--org--name/<etag>.lock
 *
 * An etag is the SHA-256 of a large file or the git SHA-1 of a small one, so that content can be
 * checked whenever it is read. */
#include "hub/huggingface.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "hub/download.h"
#include "hub/downloads.h"
#include "hub/lock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH = 4096, MAX_TOKEN_BYTES = 4096, MAX_SHARDS = 64 };
static const uint64_t max_weights_bytes = UINT64_C(4) << 30, max_json_bytes = 16 << 20;

typedef struct repo {
    const hst_ctx *ctx;
    const hst_locator *p;
    char root[MAX_PATH];     /* the cache */
    char dir[MAX_PATH];      /* root/models--org--name */
    char commit[41];         /* "" until known */
    char snapshot[MAX_PATH]; /* dir/snapshots/commit */
    char *authorization;     /* "Bearer ...", or NULL */
} repo;

static int HST_PRINTF(3, 4) put(char out[MAX_PATH], hst_err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, MAX_PATH, fmt, ap);
    va_end(ap);
    return n >= 0 && n < MAX_PATH ? 0 : hst_fail(err, HST_EARG, "a path that is too long");
}

/* ---- the repository ---- */

/* HF_TOKEN, else the file in which the hub's program keeps it. A missing file is no token. */
static int read_token(repo *r, hst_err *err)
{
    const hst_hub *hub = r->ctx->hub;
    uint8_t *text = NULL;
    size_t n = 0;
    hst_err why;
    if (!hub || r->ctx->offline)
        return 0;
    const char *token = hub->hf_token;
    if (!token && hub->hf_token_file &&
        hst_file_read(hub->hf_token_file, MAX_TOKEN_BYTES, HST_EIO, &text, &n, &why) == 0) {
        while (n && strchr(" \t\r\n", text[n - 1]))
            text[--n] = 0;
        token = n ? (const char *)text : NULL;
    }
    int rc = 0;
    if (token && strpbrk(token, " \t\r\n"))
        rc = hst_fail(err, HST_EARG, "the Hugging Face token holds a space or a line end");
    if (token && rc == 0) {
        size_t cap = strlen(token) + 8;
        r->authorization = hst_resize(NULL, cap, 1, err);
        rc = r->authorization ? 0 : HST_EMEM;
        if (rc == 0)
            snprintf(r->authorization, cap, "Bearer %s", token);
    }
    free(text);
    return rc;
}

/* commit: 40 digits. */
static int set_commit(repo *r, const char *commit, hst_err *err)
{
    memcpy(r->commit, commit, sizeof r->commit);
    return put(r->snapshot, err, "%s/snapshots/%s", r->dir, r->commit);
}

static int repo_begin(repo *r, const hst_ctx *ctx, const hst_locator *p, hst_err *err)
{
    const char *slash = strchr(p->repo, '/');
    *r = (repo){.ctx = ctx, .p = p};
    int rc;
    if (ctx->hub && ctx->hub->hf_cache)
        rc = put(r->root, err, "%s", ctx->hub->hf_cache);
    else if (ctx->cache_dir)
        rc = put(r->root, err, "%s/huggingface", ctx->cache_dir);
    else
        rc = hst_fail(err, HST_EARG, "a cache folder is needed for downloads: set HF_HOME or HOME");
    rc = rc ? rc
            : put(r->dir, err, "%s/models--%.*s--%s", r->root, (int)(slash - p->repo), p->repo,
                  slash + 1);
    return rc ? rc : read_token(r, err);
}

/* The commit that was the revision when it was last asked for. 1: known. */
static int recall_commit(repo *r, hst_err *err)
{
    char path[MAX_PATH];
    uint8_t *text = NULL;
    size_t n = 0;
    hst_err why;
    int rc = 0;
    if (hst_is_hex(r->p->revision, 40)) {
        rc = set_commit(r, r->p->revision, err);
        return rc ? rc : 1;
    }
    rc = put(path, err, "%s/refs/%s", r->dir, r->p->revision);
    if (rc == 0 && hst_file_read(path, 64, HST_EIO, &text, &n, &why) == 0 &&
        hst_is_hex((const char *)text, 40)) {
        rc = set_commit(r, (const char *)text, err);
        rc = rc ? rc : 1;
    }
    free(text);
    return rc;
}

/* ---- what is here ---- */

static void known_by_etag(const char *etag, hst_hashes *known)
{
    *known = (hst_hashes){0};
    if (hst_is_hex(etag, 64))
        memcpy(known->sha256, etag, sizeof known->sha256);
    else if (hst_is_hex(etag, 40))
        memcpy(known->git_sha1, etag, sizeof known->git_sha1);
}

/* 1: the snapshot has the file and its content is what its link says; one that is not is removed,
 * to be fetched again. */
static int has_file(const repo *r, const char *path)
{
    char link[MAX_PATH], target[MAX_PATH], sha256[65];
    hst_hashes known = {0};
    hst_err why = {0};
    if (put(link, &why, "%s/%s", r->snapshot, path) || !hst_is_file(link))
        return 0;
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n > 0) {
        target[n] = 0;
        known_by_etag(hst_path_base(target), &known);
    }
    if (!hst_hashes_known(&known) || hst_hashes_check(link, path, &known, sha256, &why) == 0)
        return 1;
    if (why.code != HST_EHASH)
        return 0;
    hst_log(r->ctx, HST_LOG_WARN, "damaged in the cache, to be fetched again: %s in %s", path,
            r->dir);
    if (!r->ctx->offline && realpath(link, target))
        unlink(target);
    return 0;
}

/* ---- one file ---- */

/* {endpoint}/org/name/resolve/<revision with all escaped>/<path> */
static int address(const repo *r, const char *path, char url[HST_URL_MAX], hst_err *err)
{
    hst_buf b = HST_BUF(HST_URL_MAX - 1);
    hst_buf_printf(&b, "%s/%s/resolve/", r->ctx->hub->hf_endpoint, r->p->repo);
    hst_url_escape(&b, r->commit[0] ? r->commit : r->p->revision, "");
    hst_buf_puts(&b, "/");
    hst_url_escape(&b, path, "/");
    int rc = hst_buf_check(&b, err);
    if (rc == 0)
        memcpy(url, b.p, b.n + 1);
    hst_buf_free(&b);
    return rc;
}

/* The etag without W/ and quotes, when it can be a file's name. */
static int read_etag(const hst_response *h, char etag[129])
{
    const char *s = h->linked_etag[0] ? h->linked_etag : h->etag;
    if (strncmp(s, "W/", 2) == 0)
        s += 2;
    s += *s == '"';
    size_t n = strcspn(s, "\"");
    if (n == 0 || n > 128 ||
        strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                  "0123456789_-") < n)
        return 0;
    memcpy(etag, s, n);
    etag[n] = 0;
    return 1;
}

/* What the hub says of a file. 0; HST_EIO stands for none here: *absent tells a file that is not in
 * the repository. */
static int ask(repo *r, const char *path, hst_response *h, char etag[129], int *absent,
               hst_err *err)
{
    char url[HST_URL_MAX], what[HST_URL_MAX];
    *absent = 0;
    int rc = hst_download_allowed(r->ctx, r->p->name, err);
    rc = rc ? rc : address(r, path, url, err);
    if (rc)
        return rc;
    snprintf(what, sizeof what, "hf:%.200s: %.500s", r->p->repo, path);
    hst_wanted w = {.url = url, .what = what, .authorization = r->authorization};
    rc = hst_download_head(r->ctx, &w, h, err);
    *absent = rc && h->status == 404 &&
              (strcmp(h->error_code, "EntryNotFound") == 0 || !h->error_code[0]);
    if (rc)
        return rc;
    if (!r->commit[0] && !hst_is_hex(h->commit, 40))
        return hst_fail(err, HST_ENET,
                        "%s: the answer names no commit: that is no Hugging Face hub", what);
    rc = r->commit[0] ? 0 : set_commit(r, h->commit, err);
    if (rc == 0 && !read_etag(h, etag))
        rc = hst_fail(err, HST_ENET, "%s: the answer has no ETag", what);
    return rc;
}

/* Makes snapshot/path lead to the blob. "../" once for snapshots/<commit>, once for each folder. */
static int link_blob(const repo *r, const char *path, const char *etag, const char *blob,
                     hst_err *err)
{
    char link[MAX_PATH], dir[MAX_PATH], now[MAX_PATH], target[MAX_PATH] = "../../";
    int rc = put(link, err, "%s/%s", r->snapshot, path);
    for (const char *s = path; (s = strchr(s, '/')); s++)
        strncat(target, "../", sizeof target - strlen(target) - 1);
    strncat(target, "blobs/", sizeof target - strlen(target) - 1);
    strncat(target, etag, sizeof target - strlen(target) - 1);
    rc = rc ? rc : put(dir, err, "%.*s", (int)(hst_path_base(link) - link) - 1, link);
    rc = rc ? rc : hst_mkdirs(dir, err);
    if (rc)
        return rc;
    ssize_t n = readlink(link, now, sizeof now);
    if (n > 0 && (size_t)n == strlen(target) && memcmp(now, target, (size_t)n) == 0)
        return 0; /* another process made it, and may be reading it: it stays */
    rc = put(now, err, "%s.%ld.link", link, (long)getpid());
    if (rc)
        return rc;
    if (symlink(target, now) == 0 && rename(now, link) == 0)
        return 0;
    unlink(now);
    /* a file system without links: the file itself lies there */
    return rename(blob, link) == 0 ? hst_sync_folder(link, err)
                                   : hst_fail_errno(err, HST_EIO, errno, "%s", link);
}

/* The blob is there and whole, or is fetched; the snapshot leads to it. */
static int get_blob(repo *r, const char *path, const hst_response *h, const char *etag,
                    const char *blob, hst_err *err)
{
    char lock_path[MAX_PATH], url[HST_URL_MAX], sha256[65];
    int is_json = strlen(path) > 5 && strcmp(path + strlen(path) - 5, ".json") == 0;
    hst_wanted w = {.url = url,
                    .what = path,
                    .authorization = r->authorization,
                    .bytes = h->linked_size     ? h->linked_size
                             : h->status == 200 ? h->length
                                                : 0,
                    .max_bytes = is_json ? max_json_bytes : max_weights_bytes};
    known_by_etag(etag, &w.known);
    int rc = address(r, path, url, err);
    rc =
        rc ? rc : put(lock_path, err, "%s/.locks/%s/%s.lock", r->root, hst_path_base(r->dir), etag);
    int lock = rc ? rc : hst_lock_take(r->ctx, lock_path, err);
    if (lock < 0)
        return lock;
    if (!hst_is_file(blob)) /* else another process was faster */
        rc = hst_download(r->ctx, &w, blob, sha256, NULL, err);
    rc = rc ? rc : link_blob(r, path, etag, blob, err);
    hst_lock_drop(lock);
    return rc;
}

/* Tells backup programs to leave the cache out (bford.info/cachedir). Help only. */
static void tag_cache(const repo *r)
{
    static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n";
    char path[MAX_PATH];
    hst_err why;
    if (put(path, &why, "%s/CACHEDIR.TAG", r->root) == 0 && !hst_is_file(path))
        (void)!hst_file_write(path, tag, sizeof tag - 1, &why);
}

/* Makes the snapshot have the file. *absent: the repository has no such file. */
static int get_file(repo *r, const char *path, int *absent, hst_err *err)
{
    char blob[MAX_PATH], dir[MAX_PATH], etag[129];
    hst_response h;
    *absent = 0;
    if (r->commit[0] && has_file(r, path))
        return 0;
    int rc = ask(r, path, &h, etag, absent, err);
    if (rc)
        return rc;
    if (has_file(r, path)) /* the commit is known only now */
        return 0;
    rc = put(dir, err, "%s/blobs", r->dir);
    rc = rc ? rc : put(blob, err, "%s/%s", dir, etag);
    rc = rc ? rc : hst_mkdirs(dir, err);
    if (rc)
        return rc;
    tag_cache(r);
    return get_blob(r, path, &h, etag, blob, err);
}

static int get_optional(repo *r, const char *path, hst_err *err)
{
    int absent;
    hst_err why = {0};
    int rc = get_file(r, path, &absent, &why);
    return rc && !absent ? hst_fail(err, rc, "%s", why.msg) : 0;
}

/* ---- the usual files ---- */

static int get_shards(repo *r, const char *index, hst_err *err)
{
    char path[MAX_PATH];
    uint8_t *text = NULL;
    size_t n = 0;
    int n_shards = 0, absent;
    int rc = put(path, err, "%s/%s", r->snapshot, index);
    rc = rc ? rc : hst_file_read(path, max_json_bytes, HST_EMODEL, &text, &n, err);
    if (rc)
        return rc;
    json_t *o = hst_json_parse((const char *)text, n, index, NULL), *file;
    const char *tensor;
    json_object_foreach(json_object_get(o, "weight_map"), tensor, file)
    {
        const char *name = json_string_value(file);
        if (rc || !name || has_file(r, name))
            continue;
        if (strchr(name, '/') || name[0] == '.' || !*name || ++n_shards > MAX_SHARDS)
            rc = hst_fail(err, HST_EMODEL, "hf:%s: %s names a file that cannot be a part of it: %s",
                          r->p->repo, index, name);
        else
            rc = get_file(r, name, &absent, err);
    }
    json_decref(o);
    free(text);
    return rc;
}

static const char *const usual[] = {"model.safetensors", "model.safetensors.index.json",
                                    "pytorch_model.bin"};
enum { N_USUAL = sizeof usual / sizeof *usual };

/* Fetches what a network's repository holds; *main_file: which of the usual files it has. */
static int get_usual(repo *r, const char **main_file, hst_err *err)
{
    int rc = HST_ENET, absent = 1;
    for (int i = 0; i < N_USUAL && absent; i++) {
        *main_file = usual[i];
        rc = get_file(r, usual[i], &absent, err);
    }
    if (absent)
        return hst_fail(err, HST_ENET,
                        "hf:%s has none of model.safetensors, model.safetensors.index.json and "
                        "pytorch_model.bin: name its file, hf:%s/FILE",
                        r->p->repo, r->p->repo);
    rc = rc ? rc : get_optional(r, "config.json", err);
    rc = rc ? rc : get_optional(r, "preprocessor_config.json", err);
    if (rc == 0 && strstr(*main_file, ".index."))
        rc = get_shards(r, *main_file, err);
    return rc;
}

/* The usual file that the snapshot has; NULL: none. */
static const char *usual_here(const repo *r)
{
    for (int i = 0; i < N_USUAL; i++)
        if (has_file(r, usual[i]))
            return usual[i];
    return NULL;
}

/* Last of all, so that whoever finds the commit by its branch finds all files. */
static int keep_ref(const repo *r, hst_err *err)
{
    char path[MAX_PATH], dir[MAX_PATH];
    if (hst_is_hex(r->p->revision, 40))
        return 0;
    int rc = put(path, err, "%s/refs/%s", r->dir, r->p->revision);
    rc = rc ? rc : put(dir, err, "%.*s", (int)(hst_path_base(path) - path) - 1, path);
    rc = rc ? rc : hst_mkdirs(dir, err);
    return rc ? rc : hst_file_write(path, r->commit, strlen(r->commit), err);
}

/* A folder as Hugging Face's libraries write one, or one file of it with its config.json. */
static int use(const repo *r, hst_ctx *ctx, const char *main_file, hst_weight_file *f, hst_err *err)
{
    char path[MAX_PATH], config[MAX_PATH];
    int rc = put(path, err, "%s/%s", r->snapshot, main_file);
    rc = rc ? rc : put(config, err, "%s/config.json", r->snapshot);
    if (rc)
        return rc;
    int folder = !r->p->file[0] && strncmp(main_file, "model.", 6) == 0 && hst_is_file(config);
    rc = hst_converted_local(ctx, folder ? r->snapshot : path, f, err);
    if (rc == 0 && !f->config && hst_is_file(config)) {
        f->config = hst_strdup(config, err);
        rc = f->config ? 0 : HST_EMEM;
    }
    return rc;
}

/* So that `backbones list` knows of it. Help only. */
static void remember(const repo *r, const char *main_file)
{
    char path[MAX_PATH];
    struct stat st;
    hst_downloaded k = {0};
    hst_err why = {0};
    if (put(path, &why, "%s/%s", r->snapshot, main_file) || stat(path, &st) != 0 ||
        !r->ctx->cache_dir || hst_downloaded_read(r->ctx, r->p->name, &k, &why)) {
        hst_downloaded_clear(&k);
        return;
    }
    free(k.name);
    free(k.file);
    k.name = hst_strdup(r->p->name, &why);
    k.file = hst_strdup(path, &why);
    k.bytes = (uint64_t)st.st_size;
    k.sha256[0] = 0;
    if (k.name && k.file && hst_mkdirs(k.dir, &why) == 0)
        (void)!hst_downloaded_write(&k, &why);
    hst_downloaded_clear(&k);
}

/* Weights that an ONNX file keeps in another one, under the names that exporters give those. */
static int get_beside(repo *r, const char *file, hst_err *err)
{
    static const char *const endings[] = {"_data", ".data"};
    int rc = 0;
    if (!hst_ends_with(file, ".onnx"))
        return 0;
    for (size_t i = 0; rc == 0 && i < sizeof endings / sizeof *endings; i++) {
        char path[MAX_PATH];
        rc = put(path, err, "%s%s", file, endings[i]);
        rc = rc ? rc : get_optional(r, path, err);
    }
    return rc;
}

static int find(repo *r, hst_ctx *ctx, int fresh, hst_weight_file *f, hst_err *err)
{
    int absent, known = recall_commit(r, err);
    const char *main_file = NULL;
    if (known < 0)
        return known;
    if (known && (!fresh || r->ctx->offline || hst_is_hex(r->p->revision, 40)))
        main_file = !r->p->file[0] ? usual_here(r) : has_file(r, r->p->file) ? r->p->file : NULL;
    if (main_file)
        return use(r, ctx, main_file, f, err);
    if (!hst_is_hex(r->p->revision, 40))
        r->commit[0] = 0;
    int rc = 0;
    if (r->p->file[0]) {
        main_file = r->p->file;
        rc = get_file(r, main_file, &absent, err);
        rc = rc ? rc : get_beside(r, main_file, err);
    } else {
        rc = get_usual(r, &main_file, err);
    }
    rc = rc ? rc : keep_ref(r, err);
    if (rc)
        return rc;
    remember(r, main_file);
    return use(r, ctx, main_file, f, err);
}

int hst_hf_find(hst_ctx *ctx, const hst_locator *p, int fresh, hst_weight_file *f, hst_err *err)
{
    repo *r = hst_alloc(1, sizeof *r, err);
    int rc = r ? repo_begin(r, ctx, p, err) : HST_EMEM;
    rc = rc ? rc : find(r, ctx, fresh, f, err);
    if (r)
        free(r->authorization);
    free(r);
    return rc;
}

static int lies_there(const repo *r, const char *file)
{
    char path[MAX_PATH];
    return put(path, NULL, "%s/%s", r->snapshot, file) == 0 && hst_is_file(path);
}

int hst_hf_cached(const hst_ctx *ctx, const hst_locator *p)
{
    repo *r = hst_alloc(1, sizeof *r, NULL);
    int is = 0;
    if (r && repo_begin(r, ctx, p, NULL) == 0 && recall_commit(r, NULL) == 1) {
        is = p->file[0] && lies_there(r, p->file);
        for (int i = 0; i < N_USUAL && !p->file[0]; i++)
            is |= lies_there(r, usual[i]);
    }
    if (r)
        free(r->authorization);
    free(r);
    return is;
}

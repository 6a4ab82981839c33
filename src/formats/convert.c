#include "formats/convert.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/parts.h"
#include "base/process.h"
#include "formats/probe.h"
#include "formats/workdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_S = 150, STATUS_LIMIT_S = 10, EXIT_IO = 6, EXIT_MEMORY = 7 };

/* The helper's line without its name in front. */
static const char *reason(const hst_process_result *r)
{
    static const char name[] = "headstart-convert: ";
    size_t n = sizeof name - 1;
    return strncmp(r->tail, name, n) == 0 ? r->tail + n : r->tail;
}

static int verdict(const char *source, const hst_process_result *r, hst_err *err)
{
    if (r->timed_out)
        return hst_fail(err, HST_EMODEL, "%s: importing it took more than %d seconds", source,
                        LIMIT_S);
    if (r->signal)
        return hst_fail(err, HST_EMODEL, "%s: the import helper was ended by signal %d", source,
                        r->signal);
    if (r->exit_code == 0)
        return 0;
    int code = r->exit_code == EXIT_IO       ? HST_EIO
               : r->exit_code == EXIT_MEMORY ? HST_EMEM
               : r->exit_code == 127         ? HST_EPROC
                                             : HST_EMODEL;
    if (!r->tail[0])
        return hst_fail(err, code, "%s: the import helper failed with exit code %d", source,
                        r->exit_code);
    return hst_fail(err, code, "%s", reason(r));
}

int hst_convert_is_current(const hst_tensors *t)
{
    const char *made_by = hst_tensors_meta(t, "converter");
    /* "ops": how graphs were told before there were versions */
    return (!hst_tensors_meta(t, "graph") && !hst_tensors_meta(t, "ops") &&
            !hst_tensors_meta(t, HST_PROBE_FACT)) ||
           (made_by && strcmp(made_by, HST_CONVERT_VERSION) == 0);
}

int hst_convert_ready(const hst_ctx *ctx, hst_err *err)
{
    if (!strchr(ctx->helper, '/') || hst_is_file(ctx->helper))
        return 0;
    if (!hst_part_is_here(HST_PART_LIBARCHIVE))
        return hst_part_missing(HST_PART_LIBARCHIVE, err);
    return hst_fail(err, HST_EPROC,
                    "the import helper %s is missing: install it (make install), name it in "
                    "HEADSTART_HELPER, or give a .safetensors file",
                    ctx->helper);
}

int hst_sandbox_status(hst_ctx *ctx, char *parts, size_t cap, hst_err *err)
{
    const char *const argv[] = {ctx->helper, "--sandbox-status", NULL};
    hst_process_result r;
    int rc = hst_convert_ready(ctx, err);
    rc = rc ? rc : hst_process_run(ctx, "import", argv, STATUS_LIMIT_S, &r, err);
    if (rc)
        return rc;
    if (r.exit_code != 0)
        return hst_fail(err, HST_EPROC, "the import helper %s cannot say what holds it: %s",
                        ctx->helper, r.tail[0] ? r.tail : "it gave no reason");
    snprintf(parts, cap, "%s", r.tail);
    return 0;
}

/* Runs the helper on source; argv[out] is where it writes. The result is moved to its place when
 * the helper has said that it is whole. */
static int run(const hst_ctx *ctx, const char *source, const char *argv[], size_t out, hst_err *err)
{
    hst_process_result r;
    const char *to = argv[out];
    int rc = hst_convert_ready(ctx, err);
    if (rc)
        return rc;
    hst_workdir dir;
    rc = hst_workdir_begin(&dir, to, err);
    if (rc)
        return rc;
    rc = HST_EMEM;
    char *made = hst_path_join(dir.path, "out", err);
    if (!made)
        goto out;
    argv[out] = made;
    rc = hst_process_run(ctx, "import", argv, LIMIT_S, &r, err);
    rc = rc ? rc : verdict(source, &r, err);
    if (rc == 0 && rename(made, to) != 0)
        rc = hst_fail_errno(err, HST_EIO, errno, "%s cannot be written", to);
out:
    free(made);
    hst_workdir_end(&dir);
    return rc;
}

/* A path that the helper cannot take for an option; to be freed. */
static char *plain_path(const char *path, hst_err *err)
{
    return path[0] == '-' ? hst_path_join(".", path, err) : hst_path_join("", path, err);
}

int hst_convert(const hst_ctx *ctx, const char *source, const char *out, hst_err *err)
{
    char *from = plain_path(source, err);
    if (!from)
        return HST_EMEM;
    const char *argv[] = {ctx->helper, from, out, NULL};
    int rc = run(ctx, source, argv, 2, err);
    free(from);
    return rc;
}

int hst_unpack(const hst_ctx *ctx, const char *archive, const char *member, uint64_t max_bytes,
               const char *out, hst_err *err)
{
    char most[32];
    snprintf(most, sizeof most, "%llu", (unsigned long long)max_bytes);
    const char *argv[] = {ctx->helper, "--member", member, "--max-bytes", most, archive, out, NULL};
    return run(ctx, archive, argv, 6, err);
}

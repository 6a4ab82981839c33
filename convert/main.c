/* headstart-convert - foreign weight files to safetensors, behind a sandbox.
 *
 *   headstart-convert SOURCE OUT                  a file or folder; the format is told by content
 *   headstart-convert --member NAME --max-bytes N ARCHIVE OUT         one member of a zip
 *   headstart-convert --sandbox-status                                what this system enforces
 *
 * One process opens the files and puts the result in place; its child, shut in, does all reading of
 * what is foreign. The result appears whole or not at all. A refusal is one line on stderr; exit
 * codes are those of headstart.h. */
#include "base/file.h"
#include "base/sha256.h"
#include "formats.h"
#include "formats/convert.h"
#include "sandbox.h"
#include "zip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CPU_LIMIT_S = 120, UNPACK_RATIO = 100 };
static const uint64_t mib = 1 << 20;

typedef struct job {
    const char *source, *out_path;
    const char *member; /* NULL: convert */
    uint64_t max_bytes;
    hst_source files;
    char sha256[HST_SHA256_HEX];
    hst_out *out;
} job;

static int exit_code(int code)
{
    switch (code) {
    case 0:
        return 0;
#define X(name, value, exit_code, text)                                                            \
    case name:                                                                                     \
        return exit_code;
        HST_ERRORS(X)
#undef X
    default:
        return 1;
    }
}

/* One line on stderr; returns the exit code. */
static int complain(const hst_err *err)
{
    dprintf(2, "headstart-convert: %s\n", err->msg);
    return exit_code(err->code);
}

/* ---- in the sandbox ---- */

static int write_tensors(const job *j, const weights *w, hst_err *err)
{
    char digest[HST_SHA256_HEX] = "";
    hst_buf head = HST_BUF(128 * mib);
    hst_meta_pair meta[WEIGHTS_MAX_FACTS + 3] = {{"content_sha256", digest},
                                                 {"source_sha256", j->sha256},
                                                 {"converter", HST_CONVERT_VERSION}};
    size_t n_meta = 3 + w->n_facts;
    memcpy(meta + 3, w->fact, w->n_facts * sizeof *meta);
    int rc = hst_tensors_digest(w->t, w->n, meta, n_meta, "content_sha256", digest, err);
    rc = rc ? rc : hst_tensors_head(w->t, w->n, meta, n_meta, &head, err);
    rc = rc ? rc : hst_out_write(j->out, head.p, head.n, err);
    for (size_t i = 0; i < w->n && rc == 0; i++)
        rc = hst_out_write(j->out, w->t[i].data, w->t[i].n_bytes, err);
    hst_buf_free(&head);
    /* the writer calls it a bad argument; here the names come from the file */
    return rc == HST_EARG ? hst_fail(err, HST_EMODEL, "the tensors are refused: %s", err->msg) : rc;
}

static int convert(job *j, hst_err *err)
{
    weights w;
    int rc = weights_begin(&w, err);
    rc = rc ? rc : formats_read(&w, &j->files, err);
    if (rc == 0) {
        weights_sort(&w);
        rc = write_tensors(j, &w, err);
    }
    weights_end(&w);
    return rc;
}

static int unpack(const job *j, hst_err *err)
{
    zip z;
    int rc = zip_open(&z, &j->files.file[0], UNPACK_RATIO, err);
    const zip_member *m = rc ? NULL : zip_find(&z, j->member);
    if (rc == 0 && !m)
        rc = hst_fail(err, HST_EMODEL, "the archive has no member '%.200s'", j->member);
    else if (rc == 0 && m->size > j->max_bytes)
        rc = hst_fail(err, HST_EMODEL, "member '%.200s' has %llu bytes, the most is %llu",
                      j->member, (unsigned long long)m->size, (unsigned long long)j->max_bytes);
    rc = rc ? rc : zip_copy(&z, m, j->out, err);
    zip_free(&z);
    return rc;
}

/* Memory: the file about twice (it and copies of views), and what the C library and the archive
 * library take; built with sanitizers, which map terabytes, it is not limited. */
static unsigned shut_in(const job *j)
{
    uint64_t source = hst_source_bytes(&j->files);
    uint64_t memory = HST_LIMIT_MEMORY ? 256 * mib + 4 * source : 0;
    uint64_t file = j->member ? j->max_bytes : 16 * mib + 9 * source;
    return sandbox_enter(
        &(sandbox_limits){.memory_bytes = memory, .file_bytes = file, .cpu_s = CPU_LIMIT_S});
}

static int child(job *j)
{
    hst_err err = {0};
    sandbox_end_with_parent();
    shut_in(j);
    int rc = j->member ? unpack(j, &err) : convert(j, &err);
    if (rc)
        hst_err_at(&err, j->source);
    return rc ? complain(&err) : 0;
}

/* ---- outside ---- */

static int open_source(job *j, hst_err *err)
{
    int rc = hst_source_open(&j->files, j->source, err);
    if (rc == 0 && j->member && j->files.is_folder)
        rc = hst_fail(err, HST_EMODEL, "is not a regular file");
    /* also: the hash library is ready before the sandbox */
    return rc ? rc : hst_source_hash(&j->files, j->sha256, err);
}

static int wait_for(pid_t pid, const job *j)
{
    int status = 0;
    hst_err err = {0};
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 1;
    if (WIFEXITED(status) && WEXITSTATUS(status))
        return WEXITSTATUS(status);
    int rc = 0;
    if (WIFSIGNALED(status))
        rc = hst_fail(&err, HST_EMODEL, "%s: reading it was ended by signal %d (%s)", j->source,
                      WTERMSIG(status), strsignal(WTERMSIG(status)));
    rc = rc ? rc : hst_out_commit(j->out, &err);
    return rc ? complain(&err) : 0;
}

static int run(job *j)
{
    hst_err err = {0};
    if (open_source(j, &err)) {
        hst_err_at(&err, j->source);
        return complain(&err);
    }
    if (hst_out_open(&j->out, j->out_path, &err))
        return complain(&err);
    pid_t pid = fork();
    if (pid < 0) {
        hst_fail_errno(&err, HST_EPROC, errno, "a process cannot be started");
        return complain(&err);
    }
    if (pid == 0)
        _exit(child(j));
    return wait_for(pid, j);
}

static int status(void)
{
    char names[128];
    sandbox_names(shut_in(&(job){0}), names, sizeof names);
    dprintf(1, "%s\n", names);
    return 0;
}

static int usage(void)
{
    dprintf(2, "usage: headstart-convert SOURCE OUT\n"
               "       headstart-convert --member NAME --max-bytes N ARCHIVE OUT\n"
               "       headstart-convert --sandbox-status\n");
    return 2;
}

static int read_count(const char *text, uint64_t *v)
{
    char *end;
    errno = 0;
    *v = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno;
}

int main(int argc, char **argv)
{
    job j = {0};
    if (argc == 2 && strcmp(argv[1], "--sandbox-status") == 0)
        _exit(status());
    if (argc == 3 && argv[1][0] != '-') {
        j.source = argv[1];
        j.out_path = argv[2];
    } else if (argc == 7 && strcmp(argv[1], "--member") == 0 &&
               strcmp(argv[3], "--max-bytes") == 0 && read_count(argv[4], &j.max_bytes)) {
        j.member = argv[2];
        j.source = argv[5];
        j.out_path = argv[6];
    } else
        return usage();
    int code = run(&j);
    hst_out_close(j.out);
    hst_source_close(&j.files);
    return code;
}

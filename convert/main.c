/* headstart-convert - foreign weight files to safetensors, behind a sandbox.
 *
 *   headstart-convert SOURCE OUT                                     the format is told by content
 *   headstart-convert --member NAME --max-bytes N ARCHIVE OUT        one member of a zip
 *   headstart-convert --sandbox-status                               what this system enforces
 *
 * One process opens the files and puts the result in place; its child, shut in, does all reading of
 * what is foreign. The result appears whole or not at all. A refusal is one line on stderr; exit
 * codes are those of headstart.h. */
#include "base/file.h"
#include "base/sha256.h"
#include "formats/safetensors.h"
#include "pth.h"
#include "sandbox.h"
#include "zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CPU_LIMIT_S = 120, UNPACK_RATIO = 100 };
static const uint64_t mib = 1 << 20, max_source_bytes = UINT64_C(4) << 30;

typedef struct job {
    const char *source, *out_path;
    const char *member; /* NULL: convert */
    uint64_t max_bytes;
    int fd;
    uint64_t source_bytes;
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

/* ---- in the sandbox ---------------------------------------------------------------------------
 */

static int write_tensors(const job *j, const pth *p, hst_err *err)
{
    char digest[HST_SHA256_HEX] = "";
    hst_buf head = HST_BUF(128 * mib);
    hst_meta_pair meta[] = {
        {"content_sha256", digest}, {"format", "pt"}, {"source_sha256", j->sha256}};
    size_t n_meta = sizeof meta / sizeof *meta;
    int rc = hst_tensors_digest(p->t, p->n, meta, n_meta, "content_sha256", digest, err);
    rc = rc ? rc : hst_tensors_head(p->t, p->n, meta, n_meta, &head, err);
    rc = rc ? rc : hst_out_write(j->out, head.p, head.n, err);
    for (size_t i = 0; i < p->n && rc == 0; i++)
        rc = hst_out_write(j->out, p->t[i].data, p->t[i].n_bytes, err);
    hst_buf_free(&head);
    /* the writer calls it a bad argument; here the names come from the file */
    return rc == HST_EARG ? hst_fail(err, HST_EMODEL, "the tensors are refused: %s", err->msg) : rc;
}

typedef struct format {
    size_t at;
    const char *magic;
    size_t n_magic;
    const char *name;                          /* where it cannot be read */
    int (*read)(pth *p, int fd, hst_err *err); /* NULL: it cannot */
} format;

static const format formats[] = {
    {0, "PK\3\4", 4, NULL, pth_read_zip},
    {0, "\x80\2", 2, NULL, pth_read_legacy},
    {0, "\x89HDF\r\n\x1a\n", 8, "HDF5 (Keras)", NULL},
    {4, "TFL3", 4, "TFLite", NULL},
    {0, "\x1f\x8b", 2, "gzip", NULL},
    {8, "{\"", 2, "safetensors (name the file .safetensors to use it as it is)", NULL},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

static int convert(const job *j, hst_err *err)
{
    uint8_t head[16] = {0};
    pth p = {0};
    ssize_t n = pread(j->fd, head, sizeof head, 0);
    const format *f = NULL;
    if (n < 0)
        return hst_fail_errno(err, HST_EIO, errno, "cannot be read");
    for (size_t i = 0; i < N_FORMATS && !f; i++)
        if (memcmp(head + formats[i].at, formats[i].magic, formats[i].n_magic) == 0)
            f = &formats[i];
    if (!f)
        return hst_fail(err, HST_EMODEL, "is no weight file of a known format (PyTorch's .pth)");
    if (!f->read)
        return hst_fail(err, HST_EMODEL, "is %s, which cannot be imported", f->name);
    int rc = f->read(&p, j->fd, err);
    rc = rc ? rc : write_tensors(j, &p, err);
    pth_free(&p);
    return rc;
}

static int unpack(const job *j, hst_err *err)
{
    zip z;
    int rc = zip_open(&z, j->fd, UNPACK_RATIO, err);
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
    uint64_t memory = HST_LIMIT_MEMORY ? 256 * mib + 4 * j->source_bytes : 0;
    uint64_t file = j->member ? j->max_bytes : 16 * mib + 9 * j->source_bytes;
    return sandbox_enter(&(sandbox_limits){memory, file, CPU_LIMIT_S});
}

static int child(const job *j)
{
    hst_err err = {0};
    shut_in(j);
    int rc = j->member ? unpack(j, &err) : convert(j, &err);
    if (rc)
        hst_err_at(&err, j->source);
    return rc ? complain(&err) : 0;
}

/* ---- outside ----------------------------------------------------------------------------------
 */

static int hash_source(job *j, hst_err *err)
{
    uint8_t block[64 * 1024], digest[32];
    ssize_t got;
    hst_sha256 *h = hst_sha256_new(err);
    int rc = h ? 0 : HST_EMEM;
    while (rc == 0 && (got = read(j->fd, block, sizeof block)) != 0) {
        if (got < 0)
            rc = errno == EINTR ? 0 : hst_fail_errno(err, HST_EIO, errno, "cannot be read");
        else
            rc = hst_sha256_add(h, block, (size_t)got, err);
    }
    rc = rc ? rc : hst_sha256_end(h, digest, err);
    if (rc == 0)
        hst_hex(digest, j->sha256);
    hst_sha256_free(h);
    return rc;
}

static int open_source(job *j, hst_err *err)
{
    struct stat st;
    j->fd = open(j->source, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (j->fd < 0)
        return hst_fail_errno(err, HST_EMODEL, errno, "cannot be opened");
    if (fstat(j->fd, &st) != 0)
        return hst_fail_errno(err, HST_EIO, errno, "cannot be read");
    if (!S_ISREG(st.st_mode))
        return hst_fail(err, HST_EMODEL, "is not a regular file");
    if ((uint64_t)st.st_size > max_source_bytes)
        return hst_fail(err, HST_EMODEL, "is larger than %llu bytes",
                        (unsigned long long)max_source_bytes);
    j->source_bytes = (uint64_t)st.st_size;
    return hash_source(j, err); /* also: the hash library is ready before the sandbox */
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
    j->out = hst_out_open(j->out_path, &err);
    if (!j->out)
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
    static const struct {
        unsigned part;
        const char *name;
    } parts[] = {{SANDBOX_LIMITS, "limits"},
                 {SANDBOX_NO_NEW_PRIVS, "no_new_privs"},
                 {SANDBOX_LANDLOCK, "landlock"},
                 {SANDBOX_SECCOMP, "seccomp"}};
    unsigned holds = shut_in(&(job){.source_bytes = 0});
    const char *gap = "";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!(holds & parts[i].part))
            continue;
        dprintf(1, "%s%s", gap, parts[i].name);
        gap = " ";
    }
    dprintf(1, "\n");
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
    job j = {.fd = -1};
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
    if (j.fd >= 0)
        close(j.fd);
    return code;
}

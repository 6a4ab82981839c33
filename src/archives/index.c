#include "archives/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_MEMBERS = 4000000, MAX_NAME = 2048, MAX_PART = 255, MAX_DEPTH = 64 };

/* A block of tar says the sum of its bytes, with blanks for the six digits of the sum itself
 * (POSIX.1-2017, pax, "ustar Interchange Format"). */
static int is_tar(const uint8_t *p, size_t n)
{
    enum { SUM_AT = 148, SUM_BYTES = 8 };
    unsigned long sum = 0, says = 0;
    int digits = 0;
    if (n < HST_ARCHIVE_HEAD)
        return 0;
    for (int i = 0; i < HST_ARCHIVE_HEAD; i++)
        sum += i >= SUM_AT && i < SUM_AT + SUM_BYTES ? ' ' : p[i];
    for (int i = SUM_AT; i < SUM_AT + SUM_BYTES; i++)
        if (p[i] >= '0' && p[i] <= '7') {
            says = says * 8 + (unsigned long)(p[i] - '0');
            digits++;
        } else if (digits || p[i] != ' ') {
            break;
        }
    return digits > 0 && says == sum;
}

enum hst_archive_kind hst_archive_kind_of(const uint8_t *head, size_t n)
{
    static const struct {
        const char *begin;
        size_t n;
        enum hst_archive_kind kind;
    } magic[] = {{"PK\3\4", 4, HST_ARCHIVE_ZIP},
                 {"PK\5\6", 4, HST_ARCHIVE_ZIP},
                 {"\x1f\x8b\x08", 3, HST_ARCHIVE_GZIP},
                 {"BZh", 3, HST_ARCHIVE_BZIP2},
                 {"\xfd"
                  "7zXZ\0",
                  6, HST_ARCHIVE_XZ},
                 {"\x28\xb5\x2f\xfd", 4, HST_ARCHIVE_ZSTD}};
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if (n >= magic[i].n && memcmp(head, magic[i].begin, magic[i].n) == 0)
            return magic[i].kind;
    return is_tar(head, n) ? HST_ARCHIVE_TAR : HST_ARCHIVE_NONE;
}

int hst_archive_pread(const hst_archive_file *f, uint64_t at, void *p, size_t n, hst_err *err)
{
    uint8_t *to = p;
    if (at > f->size || n > f->size - at)
        return hst_fail(err, HST_EDATA, "%s is damaged: it ends too early", f->what);
    while (n) {
        const ssize_t got = pread(f->fd, to, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return hst_fail_errno(err, HST_EIO, errno, "%s cannot be read", f->what);
        if (got == 0)
            return hst_fail(err, HST_EDATA, "%s has become shorter while it was read", f->what);
        to += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

int hst_index_begin(hst_index *x, hst_err *err)
{
    *x = (hst_index){.arena = hst_arena_new(err)};
    return x->arena ? 0 : HST_EMEM;
}

void hst_index_clear(hst_index *x)
{
    hst_arena_free(x->arena);
    free(x->member);
    *x = (hst_index){0};
}

/* name with its parts resolved in out[MAX_NAME]; 0 where it is out of bounds. */
static int resolve(const char *name, char *out)
{
    size_t n = 0, start[MAX_DEPTH];
    int depth = 0;
    for (const char *part = name; *part; part += *part == '/') {
        const size_t length = strcspn(part, "/");
        if (length == 2 && part[0] == '.' && part[1] == '.') {
            n = depth ? start[--depth] : 0;
        } else if (length && !(length == 1 && part[0] == '.')) {
            if (length > MAX_PART || depth == MAX_DEPTH || n + length + 2 > MAX_NAME)
                return 0;
            start[depth++] = n;
            if (n)
                out[n++] = '/';
            memcpy(out + n, part, length);
            n += length;
        }
        part += length;
    }
    out[n] = 0;
    return 1;
}

int hst_index_add(hst_index *x, const char *name, const hst_member *m, hst_err *err)
{
    char resolved[MAX_NAME];
    if (!resolve(name, resolved))
        return hst_fail(err, HST_EDATA, "member '%.60s...' has too long or too deep a name", name);
    if (!*resolved)
        return 0;
    if (x->n == MAX_MEMBERS)
        return hst_fail(err, HST_EDATA, "it has more than %d members", MAX_MEMBERS);
    void *list = x->member;
    if (hst_make_room(&list, x->n, &x->cap, sizeof *x->member, err))
        return HST_EMEM;
    x->member = list;
    hst_member *to = &x->member[x->n];
    *to = *m;
    to->name = hst_arena_strdup(x->arena, resolved, err);
    if (!to->name)
        return HST_EMEM;
    x->n++;
    return 0;
}

/* Of one name the last in the archive, whose place is furthest behind, comes last. */
static int in_order(const void *pa, const void *pb)
{
    const hst_member *a = pa, *b = pb;
    const int order = strcmp(a->name, b->name);
    return order ? order : (a->at > b->at) - (a->at < b->at);
}

void hst_index_end(hst_index *x)
{
    size_t n = 0;
    if (x->n)
        qsort(x->member, x->n, sizeof *x->member, in_order);
    for (size_t i = 0; i < x->n; i++)
        if (i + 1 == x->n || strcmp(x->member[i].name, x->member[i + 1].name) != 0)
            x->member[n++] = x->member[i];
    x->n = n;
}

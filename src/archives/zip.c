/* zip.c - members of a zip archive by its central directory. APPNOTE.TXT 6.3.10: the local header
 * (4.3.7), the directory (4.3.12), its end (4.3.16) and that of zip64 (4.3.14, 4.3.15, 4.5.3);
 * names (4.4.4 bit 11, 4.6.9, appendix D). Our own, over zlib: libarchive reads a zip from its
 * first member on and cannot go to one, and libzip's handle serves one thread. */
#include "archives/index.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    END = 22,       /* bytes of the end of the directory without its comment */
    END64 = 56,     /* of zip64's */
    LOCATOR64 = 20, /* of where that is */
    CENTRAL = 46,   /* of a member in the directory without its name */
    LOCAL = 30,     /* of a member's own header without its name */
    MAX_COMMENT = UINT16_MAX,
    STORED = 0,
    DEFLATED = 8,
    UNIX = 3, /* made by */
    MAX_NAME = 1 << 14
};
static const uint64_t max_directory_bytes = UINT64_C(1) << 30;

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const uint8_t *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static int damaged(const hst_archive_file *f, const char *what, hst_err *err)
{
    return hst_fail(err, HST_EDATA, "%s is damaged: %s", f->what, what);
}

/* Where the directory is. */
typedef struct directory {
    uint64_t at, bytes, n;
    uint64_t before; /* bytes in front of the archive proper, as of a self-extracting one */
} directory;

static int lies_outside(const hst_archive_file *f, hst_err *err)
{
    return damaged(f, "the table of its members lies outside", err);
}

static int no_directory(const hst_archive_file *f, hst_err *err)
{
    return damaged(f, "it has no table of its members, as one that was cut off", err);
}

/* d is what the end of the directory says, which lies at `at`, right behind the directory. */
static int take_end(const hst_archive_file *f, uint64_t at, directory *d, int is_part, hst_err *err)
{
    if (is_part)
        return hst_fail(err, HST_EDATA, "%s is one part of several: join them first", f->what);
    if (d->bytes > at || d->at > at - d->bytes)
        return lies_outside(f, err);
    d->before = at - d->bytes - d->at;
    return 0;
}

/* The end of zip64, whose locator lies at `at`. */
static int take_end64(const hst_archive_file *f, uint64_t at, const uint8_t *locator, directory *d,
                      hst_err *err)
{
    uint8_t p[END64];
    const uint64_t says = le64(locator + 8);
    if (at < END64 || says > at - END64)
        return lies_outside(f, err);
    uint64_t end = says;
    int rc = hst_archive_pread(f, end, p, END64, err);
    if (rc == 0 && memcmp(p, "PK\6\6", 4) != 0) { /* something lies in front of the archive */
        end = at - END64;
        rc = hst_archive_pread(f, end, p, END64, err);
    }
    if (rc)
        return rc;
    if (memcmp(p, "PK\6\6", 4) != 0)
        return no_directory(f, err);
    *d = (directory){.at = le64(p + 48), .bytes = le64(p + 40), .n = le64(p + 32)};
    return take_end(f, end, d, le32(p + 16) || le32(p + 20), err);
}

/* The end p[END] of the directory at its place, in front of which zip64's may lie. */
static int find_directory_at(const hst_archive_file *f, uint64_t at, const uint8_t *p, directory *d,
                             hst_err *err)
{
    uint8_t locator[LOCATOR64];
    *d = (directory){.at = le32(p + 16), .bytes = le32(p + 12), .n = le16(p + 10)};
    if (at >= LOCATOR64) {
        int rc = hst_archive_pread(f, at - LOCATOR64, locator, LOCATOR64, err);
        if (rc)
            return rc;
        if (memcmp(locator, "PK\6\7", 4) == 0)
            return take_end64(f, at - LOCATOR64, locator, d, err);
    }
    return take_end(f, at, d, le16(p + 4) || le16(p + 6), err);
}

/* The end lies behind everything but a comment: the last place that can be it is. */
static int find_directory(const hst_archive_file *f, directory *d, hst_err *err)
{
    const uint64_t most = END + MAX_COMMENT;
    const size_t n = (size_t)(f->size < most ? f->size : most);
    uint8_t *tail = hst_alloc_raw(n ? n : 1, 1, err);
    if (!tail)
        return HST_EMEM;
    int rc = hst_archive_pread(f, f->size - n, tail, n, err), found = 0;
    for (size_t i = n; rc == 0 && !found && i >= END; i--) {
        const uint8_t *p = tail + i - END;
        found = memcmp(p, "PK\5\6", 4) == 0 && le16(p + 20) <= n - i;
        if (found)
            rc = find_directory_at(f, f->size - n + i - END, p, d, err);
    }
    free(tail);
    if (rc == 0 && !found)
        rc = no_directory(f, err);
    return rc;
}

/* Characters 128 to 255 of IBM's code page 437, in which names are that do not say otherwise. */
static const char *const cp437[128] = {
    "Ç", "ü", "é", "â", "ä", "à", "å", "ç", "ê", "ë", "è", "ï", "î", "ì", "Ä", "Å",
    "É", "æ", "Æ", "ô", "ö", "ò", "û", "ù", "ÿ", "Ö", "Ü", "¢", "£", "¥", "₧", "ƒ",
    "á", "í", "ó", "ú", "ñ", "Ñ", "ª", "º", "¿", "⌐", "¬", "½", "¼", "¡", "«", "»",
    "░", "▒", "▓", "│", "┤", "╡", "╢", "╖", "╕", "╣", "║", "╗", "╝", "╜", "╛", "┐",
    "└", "┴", "┬", "├", "─", "┼", "╞", "╟", "╚", "╔", "╩", "╦", "╠", "═", "╬", "╧",
    "╨", "╤", "╥", "╙", "╘", "╒", "╓", "╫", "╪", "┘", "┌", "█", "▄", "▌", "▐", "▀",
    "α", "ß", "Γ", "π", "Σ", "σ", "µ", "τ", "Φ", "Θ", "Ω", "δ", "∞", "φ", "ε", "∩",
    "≡", "±", "≥", "≤", "⌠", "⌡", "÷", "≈", "°", "∙", "·", "√", "ⁿ", "²", "■", "\u00a0"};

/* name[n] as UTF-8 in out[3 * n + 1]. Much that does not say that it is UTF-8 is. */
static void to_utf8(const uint8_t *name, size_t n, char *out)
{
    memcpy(out, name, n);
    out[n] = 0;
    if (hst_is_utf8(out))
        return;
    for (size_t i = 0; i < n; i++) {
        if (name[i] < 128) {
            *out++ = (char)name[i];
            continue;
        }
        const size_t bytes = strlen(cp437[name[i] - 128]);
        memcpy(out, cp437[name[i] - 128], bytes);
        out += bytes;
    }
    *out = 0;
}

/* A member as the directory has it: numbers of 32 bits, and the extra fields behind its name. */
typedef struct entry {
    const uint8_t *p, *name, *extra;
    size_t n_name, n_extra;
} entry;

/* The extra field of that number: its bytes and *n, or NULL. */
static const uint8_t *extra_field(const entry *e, uint16_t number, size_t *n)
{
    for (size_t at = 0; at + 4 <= e->n_extra;) {
        *n = le16(e->extra + at + 2);
        if (*n > e->n_extra - at - 4)
            return NULL;
        if (le16(e->extra + at) == number)
            return e->extra + at + 4;
        at += 4 + *n;
    }
    return NULL;
}

/* What is all ones in 32 bits stands in the field of zip64 instead, in this order. */
static int take_sizes(const entry *e, hst_member *m)
{
    size_t n = 0, at = 0;
    const uint8_t *field = extra_field(e, 1, &n);
    uint64_t *const to[] = {&m->size, &m->stored, &m->at};
    static const int from[] = {24, 20, 42};
    for (int i = 0; i < 3; i++) {
        *to[i] = le32(e->p + from[i]);
        if (*to[i] != UINT32_MAX)
            continue;
        if (!field || n - at < 8)
            return 0;
        *to[i] = le64(field + at);
        at += 8;
    }
    return 1;
}

static const char *why_not(const entry *e, const hst_member *m)
{
    enum { LINK = 0120000, TYPE = 0170000, ENCRYPTED = 1 | 1 << 6 | 1 << 13 };
    if (le16(e->p + 8) & ENCRYPTED)
        return "is encrypted: unpack the archive with its password first";
    if (e->p[5] == UNIX && (le32(e->p + 38) >> 16 & TYPE) == LINK)
        return "is a link";
    if (m->method != STORED && m->method != DEFLATED)
        return "is compressed by a method that is not read: zip it anew with deflate";
    if (m->method == STORED && m->size != m->stored)
        return "is damaged: its two sizes differ";
    return NULL;
}

/* The name in out[3 * n_name + 1], which must be as long for the Unicode path extra field. */
static void take_name(const entry *e, char *out)
{
    size_t n = 0;
    const uint8_t *field = extra_field(e, 0x7075, &n);
    if (field && n > 5 && n - 5 <= 3 * e->n_name && field[0] == 1 &&
        le32(field + 1) == crc32(0, e->name, (uInt)e->n_name)) {
        memcpy(out, field + 5, n - 5);
        out[n - 5] = 0;
        if (strlen(out) == n - 5 && hst_is_utf8(out))
            return;
    }
    to_utf8(e->name, e->n_name, out);
    /* some programs on Windows write its own separator */
    if (!strchr(out, '/'))
        for (char *c = out; (c = strchr(c, '\\'));)
            *c = '/';
}

static int add(const hst_archive_file *f, const directory *d, const entry *e, hst_index *x,
               hst_err *err)
{
    char name[3 * MAX_NAME + 1];
    hst_member m = {.crc = le32(e->p + 16), .method = le16(e->p + 10)};
    if (e->n_name > MAX_NAME)
        return damaged(f, "a member's name is too long", err);
    if (!take_sizes(e, &m))
        return damaged(f, "a member does not say its size", err);
    if (m.at > f->size - d->before || m.stored > f->size)
        return damaged(f, "a member lies outside", err);
    m.at += d->before;
    if (memchr(e->name, 0, e->n_name))
        return damaged(f, "a member's name is no text", err);
    take_name(e, name);
    const size_t n = strlen(name);
    m.is_folder = n > 0 && name[n - 1] == '/';
    m.why = m.is_folder ? NULL : why_not(e, &m);
    return hst_index_add(x, name, &m, err);
}

static int walk(const hst_archive_file *f, const directory *d, const uint8_t *p, hst_index *x,
                hst_err *err)
{
    uint64_t at = 0;
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < d->n; i++) {
        if (d->bytes - at < CENTRAL || memcmp(p + at, "PK\1\2", 4) != 0)
            return damaged(f, "the table of its members ends too early", err);
        entry e = {.p = p + at, .n_name = le16(p + at + 28), .n_extra = le16(p + at + 30)};
        const uint64_t whole = CENTRAL + (uint64_t)e.n_name + e.n_extra + le16(p + at + 32);
        if (whole > d->bytes - at)
            return damaged(f, "the table of its members ends too early", err);
        e.name = e.p + CENTRAL;
        e.extra = e.name + e.n_name;
        rc = add(f, d, &e, x, err);
        at += whole;
    }
    return rc;
}

int hst_zip_index(const hst_archive_file *f, hst_index *x, hst_err *err)
{
    directory d;
    int rc = find_directory(f, &d, err);
    if (rc)
        return rc;
    if (d.bytes > max_directory_bytes)
        return damaged(f, "the table of its members is too large", err);
    uint8_t *p = hst_alloc_raw(d.bytes ? (size_t)d.bytes : 1, 1, err);
    if (!p)
        return HST_EMEM;
    rc = hst_archive_pread(f, d.before + d.at, p, (size_t)d.bytes, err);
    rc = rc ? rc : walk(f, &d, p, x, err);
    free(p);
    return rc;
}

/* The first n bytes of what in[] deflates to; *whole: that is all of it. */
static int inflate_some(const uint8_t *in, size_t n_in, uint8_t *out, size_t n, int *whole,
                        hst_err *err)
{
    z_stream z = {.next_in = (uint8_t *)in, .next_out = out};
    if (n_in > UINT_MAX || n > UINT_MAX)
        return hst_fail(err, HST_EDATA, "is too large");
    z.avail_in = (uInt)n_in;
    z.avail_out = (uInt)n;
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return hst_fail(err, HST_EMEM, "out of memory");
    int rc = inflate(&z, Z_FINISH);
    const int full = z.avail_out == 0;
    uint8_t more;
    if (full && rc != Z_STREAM_END) { /* the end may take no bytes, or there is more */
        z.next_out = &more;
        z.avail_out = 1;
        rc = inflate(&z, Z_FINISH);
    }
    *whole = rc == Z_STREAM_END && (full ? z.total_out == n : 0);
    inflateEnd(&z);
    if (rc == Z_MEM_ERROR)
        return hst_fail(err, HST_EMEM, "out of memory");
    return full ? 0 : hst_fail(err, HST_EDATA, "is damaged: its content is not as long as it says");
}

/* Compressed bytes that are enough for the first n of the content: deflate makes what cannot be
 * made smaller a few bytes longer, and a table of codes is some hundred; no program makes it twice
 * as long. */
static size_t bytes_for(const hst_member *m, size_t n)
{
    const uint64_t enough = 2 * (uint64_t)n + 4096;
    return (size_t)(m->stored < enough ? m->stored : enough);
}

int hst_zip_read(const hst_archive_file *f, const hst_member *m, uint8_t *out, size_t n,
                 hst_err *err)
{
    uint8_t local[LOCAL];
    int whole = 1, rc = hst_archive_pread(f, m->at, local, LOCAL, err);
    if (rc == 0 && memcmp(local, "PK\3\4", 4) != 0)
        rc = hst_fail(err, HST_EDATA, "is damaged: it is not where the archive says");
    if (rc)
        return rc;
    const uint64_t at = m->at + LOCAL + le16(local + 26) + le16(local + 28);
    if (m->method == STORED) {
        rc = hst_archive_pread(f, at, out, n, err);
    } else {
        const size_t n_in = bytes_for(m, n);
        uint8_t *in = hst_alloc_raw(n_in ? n_in : 1, 1, err);
        rc = in ? hst_archive_pread(f, at, in, n_in, err) : HST_EMEM;
        rc = rc ? rc : inflate_some(in, n_in, out, n, &whole, err);
        free(in);
    }
    if (rc == 0 && n == m->size && (!whole || crc32_z(0, out, n) != m->crc))
        rc = hst_fail(err, HST_EDATA, "is damaged: its check sum is wrong");
    return rc;
}

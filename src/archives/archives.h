/* archives.h - archives read in place: the bytes of one member, without unpacking the others.
 *
 * An archive is opened once and its table of members kept, until the context ends or the file is
 * another one (size, time of change, inode). Of a .zip or .tar a member is read where it lies. A
 * compressed .tar (.gz, .zst, .xz, .bz2) can only be read from its beginning: it is unpacked once
 * into a file without a name in the cache folder, which goes with the process.
 *
 * Nothing in an archive is trusted: numbers are checked before they size anything, and there are
 * limits on members, names and what comes out of a compressed file. Names are only names, as
 * nothing is written under them. */
#ifndef HST_ARCHIVES_ARCHIVES_H
#define HST_ARCHIVES_ARCHIVES_H
#include "base/context.h"

#include <sys/stat.h>

typedef struct hst_archive hst_archive;

typedef struct hst_member {
    const char *name; /* "cat/1.jpg": one '/' between parts, no part is "." or ".." */
    uint64_t size;    /* bytes of its content */
    uint64_t at,
        stored;      /* its header's place in the file; bytes of it there (zip: without header) */
    uint32_t crc;    /* zip */
    uint16_t method; /* zip */
    int is_folder;
    const char *why; /* NULL, or why it cannot be read */
} hst_member;

HST_CHECK struct hst_archives *hst_archives_new(hst_err *err);
void hst_archives_free(struct hst_archives *all); /* NULL is fine */

/* 1 where path is a file that begins as an archive does. */
int hst_archive_is(const char *path);

/* The archive at path, opened now or before; it stays the context's. Errors: HST_EDATA (not there,
 * no archive, damaged, hostile, unpacks to far more than its size), HST_EIO, HST_EMEM,
 * HST_ESTOPPED. */
HST_CHECK int hst_archive_open(const hst_ctx *ctx, const char *path, const hst_archive **out,
                               hst_err *err);
/* In byte order of names, each name once; of members of one name the last is taken. */
const hst_member *hst_archive_members(const hst_archive *a, size_t *n);
/* NULL: not there. */
const hst_member *hst_archive_find(const hst_archive *a, const char *name);

/* A path that leads to an archive file or through one: 1 with *a and the member's name, "" for all
 * of it, in *name (a part of path); else as hst_archive_resolve. */
HST_CHECK int hst_archive_within(const hst_ctx *ctx, const char *path, const hst_archive **a,
                                 const char **name, hst_err *err);
/* A path that leads through an archive, "pets.zip/cat/1.jpg": 1 with *a and *m set; 0 where no part
 * of it is an archive file. Errors: those of hst_archive_open; HST_EDATA: no such member. */
HST_CHECK int hst_archive_resolve(const hst_ctx *ctx, const char *path, const hst_archive **a,
                                  const hst_member **m, hst_err *err);

/* All bytes of a member, or its first max where part is set, with a NUL behind; to be freed. code:
 * the error where it cannot be read, or has more than max. Other errors: HST_EMEM. */
typedef struct hst_member_read {
    size_t max;
    int part, code;
} hst_member_read;
HST_CHECK int hst_archive_read(const hst_archive *a, const hst_member *m,
                               const hst_member_read *how, uint8_t **bytes, size_t *n,
                               hst_err *err);

/* What stat() would say of a member, were it a file: a size, a time, and numbers that no other
 * member and no file has. */
void hst_archive_stat(const hst_archive *a, const hst_member *m, struct stat *st);
#endif

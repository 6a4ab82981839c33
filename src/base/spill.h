/* spill.h - memory for rows and tables of any number of photos: small, it is on the heap; large, it
 * is a file without a name in the cache folder, mapped, so that it takes room on disk and not in
 * memory. What is in it is the same either way.
 *
 * A page that was looked at counts as the process's until it is given back. Whoever passes over the
 * rows tells how far it came (hst_spill_passed), and of that no more than a few megabytes stay. */
#ifndef HST_BASE_SPILL_H
#define HST_BASE_SPILL_H
#include "base/context.h"

typedef struct hst_spill hst_spill;

/* n * size bytes, zeroed, HST_ALIGN-aligned; on the heap as well where no such file can be made,
 * and for ctx NULL. Errors: HST_EMEM. */
HST_CHECK hst_spill *hst_spill_new(const hst_ctx *ctx, size_t n, size_t size, hst_err *err);
/* The same, a file from so many bytes on, not from ctx->spill_from; 0: none. */
HST_CHECK hst_spill *hst_spill_new_from(const hst_ctx *ctx, size_t from, size_t n, size_t size,
                                        hst_err *err);
void *hst_spill_at(const hst_spill *s);
int hst_spill_is_file(const hst_spill *s);
/* Writes n bytes at offset `at`, which is faster than through the mapping. From any thread, to
 * places of its own. Errors: HST_EIO. */
HST_CHECK int hst_spill_put(hst_spill *s, size_t at, const void *from, size_t n, hst_err *err);
/* So many bytes of it were read or written since; from any thread, at any time. NULL is fine: then
 * the rows are no spill's. */
void hst_spill_passed(hst_spill *s, size_t bytes);
/* One place of it was looked at, here or there. */
void hst_spill_visited(hst_spill *s);
/* A pass is over: none of it need stay. NULL is fine. */
void hst_spill_rest(hst_spill *s);
void hst_spill_free(hst_spill *s); /* NULL is fine */

/* Makes an empty file n bytes long, zeroed, with all of its room on disk taken: writing to it later
 * cannot fail for want of room. 1, or 0 with errno set. (reserve_*.c) */
int hst_file_reserve(int fd, size_t n);
#endif

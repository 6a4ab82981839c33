/* text_out.h - a text file that goes out while it is put together, so that memory does not grow
 * with it. It appears whole or not at all (hst_out). */
#ifndef HST_BASE_TEXT_OUT_H
#define HST_BASE_TEXT_OUT_H
#include "base/buf.h"
#include "base/file.h"

typedef struct hst_text_out {
    hst_buf b; /* to be added to */
    hst_out *out;
} hst_text_out;

/* To be closed also where it could not be opened. Errors: HST_EIO, HST_EMEM. */
HST_CHECK int hst_text_open(hst_text_out *t, const char *path, hst_err *err);
/* After a line or some: lets go what has become much. Errors: HST_EIO, HST_EMEM. */
HST_CHECK int hst_text_line(hst_text_out *t, hst_err *err);
HST_CHECK int hst_text_commit(hst_text_out *t, hst_err *err);
void hst_text_close(hst_text_out *t);
#endif

/* workdir.h - a folder of one's own for unfinished files, beside where the finished one will lie
 * (so that a rename puts it there), gone with all it holds when the work ends. */
#ifndef HST_FORMATS_WORKDIR_H
#define HST_FORMATS_WORKDIR_H
#include "base/err.h"

/* Makes beside.XXXXXX and returns its path; hst_workdir_end() removes it and frees the path. */
HST_CHECK char *hst_workdir_begin(const char *beside, hst_err *err);
void hst_workdir_end(char *dir); /* NULL is fine */
#endif

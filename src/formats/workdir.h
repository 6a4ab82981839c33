/* workdir.h - a folder of one's own for unfinished files, beside where the finished one will lie
 * (so that a rename puts it there), gone with all it holds when the work ends. */
#ifndef HST_FORMATS_WORKDIR_H
#define HST_FORMATS_WORKDIR_H
#include "base/err.h"

typedef struct hst_workdir {
    char *path;
    int lock; /* on the folder, as long as this process lives: it is in use */
} hst_workdir;

/* Makes beside.XXXXXX; hst_workdir_end() removes it. {0} ends as well. */
HST_CHECK int hst_workdir_begin(hst_workdir *w, const char *beside, hst_err *err);
void hst_workdir_end(hst_workdir *w);

/* Removes from a folder those that a process left when it was killed; returns how many bytes were
 * in them. What is in use, or cannot be removed, stays. */
uint64_t hst_workdir_sweep(const char *folder);
#endif

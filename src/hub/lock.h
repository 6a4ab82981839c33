/* lock.h - one process at a time: a lock that goes with the process that held it. */
#ifndef HST_HUB_LOCK_H
#define HST_HUB_LOCK_H
#include "base/context.h"

/* Waits for the lock on the file path, which is made (with its folders) when it is not there and
 * stays afterwards. A descriptor for hst_lock_drop, or a negative code: HST_EIO, HST_ESTOPPED.
 * Where the file system knows no locks there is none, and all is as if it were held. */
HST_CHECK int hst_lock_take(const hst_ctx *ctx, const char *path, hst_err *err);
/* The same without waiting: -1 where it is held, or cannot be taken. */
int hst_lock_try(const char *path);
void hst_lock_drop(int fd);
#endif

#include "hub/lock.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static int make_folder_of(const char *path, hst_err *err)
{
    char *dir = hst_strdup(path, err);
    if (!dir)
        return HST_EMEM;
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = 0;
    int rc = slash && slash > dir ? hst_mkdirs(dir, err) : 0;
    free(dir);
    return rc;
}

static int wait_for(const hst_ctx *ctx, int fd, const char *path, hst_err *err)
{
    hst_meter meter = hst_meter_start(ctx, "waiting for another process", 0);
    struct timespec step = {.tv_nsec = 20 * 1000000L};
    for (int told = 0;; told = 1) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno == ENOLCK || errno == EOPNOTSUPP)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return hst_fail_errno(err, HST_EIO, errno, "%s cannot be locked", path);
        if (!told)
            hst_log(ctx, HST_LOG_INFO, "another process is fetching the same: waiting for it");
        int rc = hst_meter_at(&meter, 0, err);
        if (rc)
            return rc;
        nanosleep(&step, NULL);
    }
}

int hst_lock_take(const hst_ctx *ctx, const char *path, hst_err *err)
{
    int rc = make_folder_of(path, err);
    if (rc)
        return rc;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be made", path);
    rc = wait_for(ctx, fd, path, err);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

int hst_lock_try(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    hst_lock_drop(fd);
    return -1;
}

void hst_lock_drop(int fd)
{
    if (fd >= 0)
        close(fd); /* which gives the lock back */
}

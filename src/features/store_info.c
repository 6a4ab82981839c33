/* store_info.c - the feature store as a whole: described, emptied. */
#include "base/context.h"
#include "base/file.h"
#include "base/sized.h"
#include "features/store.h"
#include "features/store_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One number out of the store's file, opened for reading; -1 when it has none. */
static int64_t ask(const char *path, const char *sql)
{
    sqlite3 *db = hst_store_open_to_read(path);
    const int64_t value = db ? hst_store_number(db, sql) : -1;
    sqlite3_close(db);
    return value;
}

int hst_store_describe(const hst_ctx *ctx, hst_store_info *info, hst_err *err)
{
    static const hst_sized sized = HST_SIZED(hst_store_info, max_bytes);
    struct stat st;
    if (hst_sized_check(&sized, info, err))
        return HST_EARG;
    if (!ctx->cache_dir)
        return hst_fail(err, HST_EARG, "there is no cache folder, so there is no feature store");
    char *path = hst_path_join(ctx->cache_dir, HST_STORE_NAME, err);
    if (!path)
        return HST_EMEM;
    hst_store_info out = {.size = sizeof out, .max_bytes = ctx->store_max_bytes};
    int rc = 0;
    if (stat(path, &st) == 0) {
        int64_t vectors = ask(path, "SELECT count(*) FROM vectors");
        int64_t files = ask(path, "SELECT count(*) FROM files");
        out.bytes = (uint64_t)st.st_size;
        out.vectors = vectors > 0 ? (uint64_t)vectors : 0;
        out.files = files > 0 ? (uint64_t)files : 0;
        if (vectors < 0)
            rc = hst_fail(err, HST_EIO,
                          "%s cannot be read: damaged, held by another process, or of another "
                          "version (headstart store clear makes a new one)",
                          path);
    }
    if (rc == 0)
        hst_sized_write(&sized, &out, info);
    free(path);
    return rc;
}

/* Empties a store that jobs may be using: they go on with the same file. 1; 0: it is no store of
 * this version, or a damaged one; or an error. */
static int empty(const char *path, hst_err *err)
{
    sqlite3 *db = NULL;
    if (!hst_is_file(path))
        return 0;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, HST_STORE_BUSY_MS);
        const int ours = hst_store_version(db);
        rc = ours > 0    ? hst_store_run(db, "BEGIN IMMEDIATE")
             : ours == 0 ? SQLITE_NOTADB
                         : sqlite3_errcode(db);
    }
    if (rc == SQLITE_OK)
        rc =
            sqlite3_exec(db, "DELETE FROM vectors; DELETE FROM pictures; DELETE FROM files; COMMIT",
                         NULL, NULL, NULL);
    if (rc ==
        SQLITE_OK) /* gives the space back; where a job is writing, it is used again instead */
        sqlite3_exec(db, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    sqlite3_close(db);
    return hst_store_is_busy(rc)
               ? hst_fail(err, HST_EIO, "%s is held by another process: try again", path)
               : rc == SQLITE_OK;
}

int hst_store_clear(const hst_ctx *ctx, hst_err *err)
{
    static const char *const endings[] = {"",         "-wal",         "-shm",
                                          ".damaged", ".damaged-wal", ".damaged-shm"};
    char path[4096];
    if (!ctx->cache_dir)
        return hst_fail(err, HST_EARG, "there is no cache folder, so there is no feature store");
    int n = snprintf(path, sizeof path, "%s/%s", ctx->cache_dir, HST_STORE_NAME);
    const int emptied = n > 0 && (size_t)n < sizeof path ? empty(path, err) : 0;
    if (emptied < 0)
        return emptied;
    for (size_t i = emptied ? 3 : 0; i < sizeof endings / sizeof *endings; i++) {
        n = snprintf(path, sizeof path, "%s/%s%s", ctx->cache_dir, HST_STORE_NAME, endings[i]);
        if (n < 0 || (size_t)n >= sizeof path)
            return hst_fail(err, HST_EARG, "the cache folder's name is too long");
        if (unlink(path) != 0 && errno != ENOENT)
            return hst_fail_errno(err, HST_EIO, errno, "%s cannot be removed", path);
    }
    return 0;
}

#include "features/store_db.h"
#include "base/buf.h"
#include "base/context.h"
#include "hub/url.h"

enum { SCHEMA_VERSION = 1, APPLICATION_ID = 0x68737466 }; /* "hstf"; both in store.c's schema */

int64_t hst_store_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        value = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return value;
}

int hst_store_is_busy(int rc)
{
    return (rc & 0xff) == SQLITE_BUSY;
}

/* SQLite's own waiting does not cover the change to WAL: two processes that make the store at the
 * same moment would see SQLITE_BUSY at once. */
int hst_store_run(sqlite3 *db, const char *sql)
{
    double end = hst_now_s() + HST_STORE_BUSY_MS / 1000.0;
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    while (hst_store_is_busy(rc) && hst_now_s() < end) {
        sqlite3_sleep(5);
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    }
    return rc;
}

int hst_store_version(sqlite3 *db)
{
    const int64_t tables = hst_store_number(db, "SELECT count(*) FROM sqlite_master");
    if (tables <= 0)
        return tables < 0 ? -1 : 1;
    return hst_store_number(db, "PRAGMA application_id") == APPLICATION_ID &&
           hst_store_number(db, "PRAGMA user_version") == SCHEMA_VERSION;
}

/* In a folder that cannot be written SQLite has to be told that nobody writes. */
sqlite3 *hst_store_open_to_read(const char *path)
{
    sqlite3 *db = NULL;
    hst_buf uri = HST_BUF(3 * 4096);
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &db, flags, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(db, HST_STORE_BUSY_MS);
        if (hst_store_number(db, "SELECT count(*) FROM sqlite_master") >= 0 ||
            (sqlite3_errcode(db) != SQLITE_CANTOPEN && sqlite3_errcode(db) != SQLITE_READONLY))
            return db;
    }
    sqlite3_close(db);
    db = NULL;
    hst_buf_puts(&uri, "file:");
    hst_url_escape(&uri, path, "/");
    hst_buf_puts(&uri, "?immutable=1");
    if (hst_buf_check(&uri, NULL) == 0)
        (void)sqlite3_open_v2(uri.p, &db, flags | SQLITE_OPEN_URI, NULL);
    hst_buf_free(&uri);
    return db;
}

/* store_db.h - the file that the feature store lies in, as SQLite has it. */
#ifndef HST_FEATURES_STORE_DB_H
#define HST_FEATURES_STORE_DB_H
#include <sqlite3.h>
#include <stdint.h>

enum { HST_STORE_BUSY_MS = 5000 }; /* how long another process may hold it */

/* The number that sql gives, or -1. */
int64_t hst_store_number(sqlite3 *db, const char *sql);
/* Another process holds it at the moment. */
int hst_store_is_busy(int rc);
/* Runs sql, waiting for other processes: a result of SQLite. */
int hst_store_run(sqlite3 *db, const char *sql);
/* 1: of this version, or new; 0: another version or another program's; -1: it cannot be read. */
int hst_store_version(sqlite3 *db);
/* Opens the file at path to read it, also in a folder that cannot be written; NULL: it cannot be
 * opened. */
sqlite3 *hst_store_open_to_read(const char *path);
#endif

#include "features/store.h"
#include "base/file.h"
#include "base/mem.h"
#include "features/store_db.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PUTS_A_COMMIT = 200, /* a crash loses at most this many vectors */
    MOST_QUEUED = 20000, /* that wait where another process does not let go */
    CHECK_BYTES = 8,     /* of the SHA-256 of key and vector, in front of the vector */
};

static const char schema[] =
    "PRAGMA application_id=0x68737466; PRAGMA user_version=1;"
    "CREATE TABLE IF NOT EXISTS vectors(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE,"
    "  vector BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS pictures(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE,"
    "  vector BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS files(dev INTEGER, ino INTEGER, size INTEGER, mtime INTEGER,"
    "  sha256 TEXT NOT NULL, PRIMARY KEY(dev, ino)) WITHOUT ROWID;";

enum statement { GET, PUT, GET_PICTURE, PUT_PICTURE, KNOWN, REMEMBER, N_STATEMENTS };
static const char *const statements[N_STATEMENTS] = {
    [GET] = "SELECT vector FROM vectors WHERE key=?1",
    [PUT] = "INSERT OR REPLACE INTO vectors(key, vector) VALUES(?1, ?2)",
    [GET_PICTURE] = "SELECT vector FROM pictures WHERE key=?1",
    [PUT_PICTURE] = "INSERT OR REPLACE INTO pictures(key, vector) VALUES(?1, ?2)",
    [KNOWN] = "SELECT sha256 FROM files WHERE dev=?1 AND ino=?2 AND size=?3 AND mtime=?4",
    [REMEMBER] =
        "INSERT OR REPLACE INTO files(dev, ino, size, mtime, sha256) VALUES(?1,?2,?3,?4,?5)",
};

/* The hash as it is kept: 64 digits, and as many that bind it to the file it is of; then "|" and
 * two digits, the format, where headstart-decode decodes it. */
enum { FILE_TEXT = 2 * (HST_SHA256_HEX - 1), FORMAT_TEXT = 3 };

/* A row to be written: a vector, a picture, or the hash of a file. */
typedef struct queued {
    enum statement how; /* PUT, PUT_PICTURE, REMEMBER */
    uint8_t key[32];
    uint8_t *row; /* [n_bytes]: CHECK_BYTES, then the vector */
    size_t n_bytes;
    struct stat file;
    char text[FILE_TEXT + FORMAT_TEXT + 1];
} queued;

struct hst_store {
    const hst_ctx *ctx;
    char *path;
    sqlite3 *db;
    sqlite3_stmt *stmt[N_STATEMENTS];
    pthread_mutex_t lock; /* guards the connection and what follows */
    int off;              /* something failed: nothing more is asked of it */
    int read_only;        /* nothing is added to it */
    int behind;           /* another process was waited for in vain: not again before the end */
    /* What is to be written is gathered and written in one go, so that other processes wait for
     * the disk and never for a network. */
    queued *queue;
    size_t n_queued, queue_cap;
};

/* One line, once: afterwards the store is not used any more in this job. Lock held, or not yet
 * shared. */
static void give_up(hst_store *s, const char *doing)
{
    if (!s->off)
        hst_log(s->ctx, HST_LOG_WARN, "feature store %s: %s failed: %s; going on without it",
                s->path, doing, s->db ? sqlite3_errmsg(s->db) : "out of memory");
    s->off = 1;
}

static void close_db(hst_store *s)
{
    for (int i = 0; i < N_STATEMENTS; i++) {
        sqlite3_finalize(s->stmt[i]);
        s->stmt[i] = NULL;
    }
    sqlite3_close(s->db);
    s->db = NULL;
}

enum opened { OPENED, DAMAGED, UNUSABLE };

static enum opened verdict(int rc)
{
    return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? DAMAGED : UNUSABLE;
}

/* A file that is SQLite's but not a store of this version is somebody's: it is left alone. */
static enum opened check_version(hst_store *s)
{
    const int version = hst_store_version(s->db);
    if (version < 0)
        return verdict(sqlite3_errcode(s->db));
    if (version)
        return OPENED;
    hst_log(s->ctx, HST_LOG_WARN,
            "feature store %s is of another version; going on without it (headstart store clear "
            "makes a new one)",
            s->path);
    s->off = 1;
    return UNUSABLE;
}

/* A store that cannot be written still says what it knows. */
static enum opened open_read_only(hst_store *s)
{
    close_db(s);
    s->db = hst_store_open_to_read(s->path);
    s->read_only = 1;
    const enum opened how = s->db ? check_version(s) : UNUSABLE;
    if (how == OPENED)
        hst_log(s->ctx, HST_LOG_WARN,
                "feature store %s cannot be written: what it knows is used, nothing is added",
                s->path);
    return how;
}

/* Every program version makes its tables itself, so an older file may lack one. */
static int make_tables(hst_store *s)
{
    /* A lost last transaction after a power cut costs a recomputation: no fsync at every commit. */
    int rc = hst_store_run(s->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;");
    return rc == SQLITE_OK ? hst_store_run(s->db, schema) : rc;
}

static enum opened open_db(hst_store *s)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
    enum opened how = UNUSABLE;
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(s->db, HST_STORE_BUSY_MS);
        how = check_version(s);
        rc = sqlite3_errcode(s->db);
    }
    if ((how == OPENED && sqlite3_db_readonly(s->db, "main") == 1) ||
        (how == UNUSABLE && !s->off && hst_is_file(s->path) &&
         ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY)))
        how = open_read_only(s);
    if (how != OPENED)
        return how;
    rc = s->read_only ? SQLITE_OK : make_tables(s);
    for (int i = 0; rc == SQLITE_OK && i < N_STATEMENTS; i++)
        rc = sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[i],
                                NULL);
    return rc == SQLITE_OK ? OPENED : verdict(rc);
}

/* Moves a damaged store out of the way, with its journal, and opens a new one. */
static enum opened begin_anew(hst_store *s)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char from[4096], to[4096];
    close_db(s);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        int a = snprintf(from, sizeof from, "%s%s", s->path, endings[i]);
        int b = snprintf(to, sizeof to, "%s.damaged%s", s->path, endings[i]);
        if (a < 0 || b < 0 || (size_t)a >= sizeof from || (size_t)b >= sizeof to)
            return UNUSABLE;
        if (rename(from, to) != 0 && errno != ENOENT)
            return UNUSABLE;
    }
    hst_log(s->ctx, HST_LOG_WARN,
            "feature store %s is damaged: set aside as %s.damaged, and begun anew", s->path,
            s->path);
    return open_db(s);
}

static hst_store *store_new(const hst_ctx *ctx, hst_err *err)
{
    hst_store *s = hst_alloc(1, sizeof *s, err);
    if (!s)
        return NULL;
    s->ctx = ctx;
    s->path = hst_path_join(ctx->cache_dir, HST_STORE_NAME, err);
    if (s->path) {
        pthread_mutex_init(&s->lock, NULL);
        return s;
    }
    free(s);
    return NULL;
}

hst_store *hst_store_open(const hst_ctx *ctx)
{
    hst_err e = {0};
    if (!ctx->cache_dir || ctx->no_store)
        return NULL;
    if (hst_mkdirs(ctx->cache_dir, &e)) {
        hst_log(ctx, HST_LOG_WARN, "no feature store: %s", e.msg);
        return NULL;
    }
    hst_store *s = store_new(ctx, &e);
    if (!s)
        return NULL;
    enum opened how = open_db(s);
    if (how == DAMAGED)
        how = begin_anew(s);
    if (how == OPENED)
        return s;
    give_up(s, "opening");
    hst_store_close(s);
    return NULL;
}

/* What stands for the photo goes in as 64 digits and a NUL. */
static int key_of(const hst_store_kind *kind, const hst_digest *photo, uint8_t key[32])
{
    char text[32 + HST_SHA256_HEX];
    memcpy(text, kind->prefix, 32);
    hst_hex(photo->byte, text + 32);
    return hst_sha256_bytes(text, sizeof text, key, NULL) == 0;
}

static int bind_file(sqlite3_stmt *q, const struct stat *st)
{
    int64_t mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    int rc = sqlite3_bind_int64(q, 1, (int64_t)st->st_dev);
    rc = rc ? rc : sqlite3_bind_int64(q, 2, (int64_t)st->st_ino);
    rc = rc ? rc : sqlite3_bind_int64(q, 3, (int64_t)st->st_size);
    return rc ? rc : sqlite3_bind_int64(q, 4, mtime);
}

static int file_text(const struct stat *st, const hst_digest *content, enum hst_format format,
                     char text[FILE_TEXT + FORMAT_TEXT + 1])
{
    char bound[256], kind[FORMAT_TEXT + 1] = "";
    uint8_t digest[32];
    hst_hex(content->byte, text);
    if (hst_format_is_by_helper(format))
        snprintf(kind, sizeof kind, "|%02u", (unsigned)format % 100);
    int n = snprintf(bound, sizeof bound, "%lld %lld %lld %lld.%ld %s%s", (long long)st->st_dev,
                     (long long)st->st_ino, (long long)st->st_size, (long long)st->st_mtim.tv_sec,
                     st->st_mtim.tv_nsec, text, kind);
    if (hst_sha256_bytes(bound, (size_t)n, digest, NULL))
        return 0;
    hst_hex(digest, text + HST_SHA256_HEX - 1);
    memcpy(text + FILE_TEXT, kind, sizeof kind);
    return 1;
}

/* Copies the hash that q stands on, and the format, when it is whole and this file's. */
static int take_hash(sqlite3_stmt *q, const struct stat *st, hst_digest *content,
                     enum hst_format *format)
{
    hst_digest found;
    char text[FILE_TEXT + FORMAT_TEXT + 1];
    const char *kept = (const char *)sqlite3_column_text(q, 0);
    const int n = sqlite3_column_bytes(q, 0), has_format = n == FILE_TEXT + FORMAT_TEXT;
    if (!kept || (n != FILE_TEXT && !has_format))
        return 0;
    const unsigned kind = has_format ? (unsigned)strtoul(kept + FILE_TEXT + 1, NULL, 10) : 0;
    if (kind >= HST_FORMATS || !hst_unhex(kept, found.byte) ||
        !file_text(st, &found, (enum hst_format)kind, text) || strcmp(text, kept) != 0)
        return 0;
    *content = found;
    *format = (enum hst_format)kind;
    return 1;
}

/* A row that was written before formats were says nothing of one. */
static int is_of_old(const char *path, enum hst_format format)
{
    return format == HST_FORMAT_UNKNOWN && hst_format_is_by_helper(hst_format_of_name(path));
}

int hst_store_known_file(hst_store *s, const char *path, const struct stat *st, hst_digest *content,
                         enum hst_format *format)
{
    int known = 0;
    if (s->ctx->rehash)
        return 0;
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *q = s->stmt[KNOWN];
    if (!s->off && bind_file(q, st) == SQLITE_OK) {
        int rc = sqlite3_step(q);
        known = rc == SQLITE_ROW && take_hash(q, st, content, format) && !is_of_old(path, *format);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE && !hst_store_is_busy(rc))
            give_up(s, "reading");
        sqlite3_reset(q);
    }
    pthread_mutex_unlock(&s->lock);
    return known;
}

/* ---- writing ---- */

static int write_row(hst_store *s, const queued *q)
{
    sqlite3_stmt *st = s->stmt[q->how];
    int rc;
    if (q->how != REMEMBER) {
        rc = sqlite3_bind_blob(st, 1, q->key, sizeof q->key, SQLITE_STATIC);
        rc = rc ? rc : sqlite3_bind_blob64(st, 2, q->row, q->n_bytes, SQLITE_STATIC);
    } else {
        rc = bind_file(st, &q->file);
        rc = rc ? rc : sqlite3_bind_text(st, 5, q->text, -1, SQLITE_STATIC);
    }
    rc = rc ? rc : sqlite3_step(st);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc ? rc : SQLITE_ERROR;
}

static int write_queue(hst_store *s)
{
    int rc = hst_store_run(s->db, "BEGIN IMMEDIATE");
    for (size_t i = 0; rc == SQLITE_OK && i < s->n_queued; i++)
        rc = write_row(s, &s->queue[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
    return rc;
}

/* Writes what was gathered as one transaction. Where another process does not let go it stays
 * gathered, but for the last time. Lock held. */
static void flush(hst_store *s, int last)
{
    int rc = s->n_queued && !s->off && !s->read_only ? write_queue(s) : SQLITE_OK;
    s->behind = hst_store_is_busy(rc);
    if (s->behind && !last && s->n_queued < MOST_QUEUED)
        return;
    if (rc != SQLITE_OK) {
        give_up(s, "writing");
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
    for (size_t i = 0; i < s->n_queued; i++)
        free(s->queue[i].row);
    s->n_queued = 0;
}

static int has_room(hst_store *s)
{
    if (s->n_queued < s->queue_cap)
        return 1;
    const size_t cap = s->queue_cap ? 2 * s->queue_cap : PUTS_A_COMMIT;
    queued *more = s->off || s->read_only ? NULL : hst_resize(s->queue, cap, sizeof *more, NULL);
    if (!more)
        return 0;
    s->queue = more;
    s->queue_cap = cap;
    return 1;
}

/* Takes q with its row. */
static void enqueue(hst_store *s, const queued *q)
{
    pthread_mutex_lock(&s->lock);
    if (has_room(s))
        s->queue[s->n_queued++] = *q;
    else
        free(q->row);
    if (s->n_queued && s->n_queued % PUTS_A_COMMIT == 0 &&
        (!s->behind || s->n_queued >= MOST_QUEUED))
        flush(s, 0);
    pthread_mutex_unlock(&s->lock);
}

void hst_store_remember_file(hst_store *s, const struct stat *st, const hst_digest *content,
                             enum hst_format format)
{
    /* A file changed a moment ago may change again within one tick of its mtime: not remembered. */
    queued q = {.how = REMEMBER, .file = *st};
    if (time(NULL) - st->st_mtim.tv_sec >= 2 && file_text(st, content, format, q.text))
        enqueue(s, &q);
}

/* What a row must show: it binds the vector to its key, so that neither a flipped bit nor an index
 * that points at another row becomes a wrong feature. */
static int check_of(const uint8_t key[32], const void *vector, size_t bytes,
                    uint8_t check[CHECK_BYTES])
{
    uint8_t digest[32];
    hst_sha256 *h = hst_sha256_new(NULL);
    int rc = h ? hst_sha256_add(h, key, 32, NULL) : HST_EMEM;
    rc = rc ? rc : hst_sha256_add(h, vector, bytes, NULL);
    rc = rc ? rc : hst_sha256_end(h, digest, NULL);
    hst_sha256_free(h);
    if (rc == 0)
        memcpy(check, digest, CHECK_BYTES);
    return rc == 0;
}

/* Copies the row that q stands on into x[dim] when it is whole and the key's. */
static int take_row(sqlite3_stmt *q, const uint8_t key[32], size_t dim, float *x)
{
    uint8_t check[CHECK_BYTES];
    size_t bytes = dim * sizeof *x;
    const uint8_t *row = sqlite3_column_blob(q, 0);
    if (!row || (size_t)sqlite3_column_bytes(q, 0) != CHECK_BYTES + bytes)
        return 0;
    if (!check_of(key, row + CHECK_BYTES, bytes, check) || memcmp(check, row, CHECK_BYTES) != 0)
        return 0;
    memcpy(x, row + CHECK_BYTES, bytes);
    return 1;
}

int hst_store_get(hst_store *s, const hst_store_kind *kind, const hst_digest *photo, float *x)
{
    uint8_t key[32];
    int found = 0;
    if (!key_of(kind, photo, key))
        return 0;
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *q = s->stmt[kind->of_pictures ? GET_PICTURE : GET];
    if (!s->off && sqlite3_bind_blob(q, 1, key, sizeof key, SQLITE_TRANSIENT) == SQLITE_OK) {
        int rc = sqlite3_step(q);
        if (rc == SQLITE_ROW)
            found = take_row(q, key, kind->dim, x);
        else if (rc != SQLITE_DONE && !hst_store_is_busy(rc))
            give_up(s, "reading");
        sqlite3_reset(q);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

void hst_store_put(hst_store *s, const hst_store_kind *kind, const hst_digest *photo,
                   const float *x)
{
    const size_t bytes = kind->dim * sizeof *x;
    queued q = {.how = kind->of_pictures ? PUT_PICTURE : PUT, .n_bytes = CHECK_BYTES + bytes};
    if (!key_of(kind, photo, q.key) || !(q.row = hst_alloc(q.n_bytes, 1, NULL)))
        return;
    memcpy(q.row + CHECK_BYTES, x, bytes);
    if (check_of(q.key, x, bytes, q.row))
        enqueue(s, &q);
    else
        free(q.row);
}

/* Drops the oldest tenth while the file's used pages are over the cap. */
static void trim(hst_store *s)
{
    int64_t page = hst_store_number(s->db, "PRAGMA page_size");
    for (int i = 0; i < 100 && !s->off; i++) {
        int64_t used = hst_store_number(s->db, "PRAGMA page_count") -
                       hst_store_number(s->db, "PRAGMA freelist_count");
        if (page <= 0 || used < 0 || (uint64_t)used * (uint64_t)page <= s->ctx->store_max_bytes ||
            hst_store_number(s->db, "SELECT count(*) FROM vectors") <= 0)
            return;
        const int rc =
            sqlite3_exec(s->db,
                         "DELETE FROM vectors WHERE id IN (SELECT id FROM vectors ORDER BY id "
                         "LIMIT (SELECT count(*) / 10 + 1 FROM vectors));"
                         "DELETE FROM pictures WHERE id IN (SELECT id FROM pictures ORDER BY id "
                         "LIMIT (SELECT count(*) / 10 + 1 FROM pictures))",
                         NULL, NULL, NULL);
        if (hst_store_is_busy(rc))
            return; /* who holds it trims it */
        if (rc != SQLITE_OK)
            give_up(s, "trimming");
    }
}

void hst_store_close(hst_store *s)
{
    if (!s)
        return;
    flush(s, 1);
    if (s->db && !s->off && !s->read_only)
        trim(s);
    close_db(s);
    free(s->queue);
    pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}

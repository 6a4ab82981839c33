/* table.h - a table as people keep lists of photos: CSV with any usual separator, lines of "path
 * label", JSON Lines, JSON lists of objects or of lists, and two kinds of JSON objects.
 *
 * It is read by ourselves, in place: libcsv (3.0.3, of 2013) knows neither the line of a cell nor a
 * quote that is never closed, and which separator and which header would still be to be found out
 * here. */
#ifndef HST_DATASET_TABLE_H
#define HST_DATASET_TABLE_H
#include "base/mem.h"

/* What one row says in one column: n texts one behind the other with a NUL behind each, of which
 * CSV always has one. text NULL: it says nothing (a row too short, null, an object). */
typedef struct hst_cell {
    const char *text;
    size_t n;
} hst_cell;

typedef struct hst_table {
    hst_arena *arena;    /* borrowed, of all texts */
    const char **column; /* [n_columns] names; NULL: the table has no header */
    size_t n_columns;    /* most cells of a row */
    size_t n_rows;
    hst_cell *cell; /* of all rows, one behind the other */
    size_t *first;  /* [n_rows + 1] number of each row's first cell */
    size_t *line;   /* [n_rows] where the row begins, from 1; of a JSON list, its number in it */
    char separator; /* ',' '\t' ';' '|'; ' ': a path, spaces, and a label; 0: JSON */
} hst_table;

/* The table that bytes[n] hold, its texts in the arena; name: of the file, for messages and by its
 * ending. The first row of a CSV is still a row: hst_table_take_header makes it the header, once it
 * is known what rows hold. UTF-16 with its mark is read as well. Errors: HST_EDATA (nothing in it,
 * a quote that is never closed, a zero byte, broken JSON), HST_EMEM. */
typedef struct hst_table_file {
    const uint8_t *bytes;
    size_t n;
    const char *name;
} hst_table_file;
HST_CHECK int hst_table_parse(hst_arena *arena, const hst_table_file *file, hst_table *t,
                              hst_err *err);
HST_CHECK int hst_table_take_header(hst_table *t, hst_err *err);
/* A cell that is not there says nothing. */
hst_cell hst_table_at(const hst_table *t, size_t row, size_t column);
/* A row's only text in a column, or NULL. */
const char *hst_table_text(const hst_table *t, size_t row, size_t column);
void hst_table_clear(hst_table *t);
#endif

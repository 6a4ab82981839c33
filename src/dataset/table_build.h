/* table_build.h - how the readers of tables put rows into one. */
#ifndef HST_DATASET_TABLE_BUILD_H
#define HST_DATASET_TABLE_BUILD_H
#include "dataset/table.h"

typedef struct hst_table_builder {
    hst_table *t;
    size_t rows_cap, cells_cap, n_cells;
    const char *name; /* of the file, for messages */
} hst_table_builder;

/* A row that begins in that line; its cells follow. */
HST_CHECK int hst_table_add_row(hst_table_builder *b, size_t line, hst_err *err);
HST_CHECK int hst_table_add_cell(hst_table_builder *b, hst_cell cell, hst_err *err);

/* Rows of JSON text[n]: one value, or with lines an object a line. Errors: HST_EDATA, HST_EMEM. */
HST_CHECK int hst_table_add_json(hst_table_builder *b, const char *text, size_t n, int lines,
                                 hst_err *err);
#endif

/* columns.h - which columns of a table say where a photo is, what it shows, and on which side it
 * is: those that were asked for, else those that their names or what is in them leave no doubt
 * about. */
#ifndef HST_DATASET_COLUMNS_H
#define HST_DATASET_COLUMNS_H
#include "dataset/table.h"

enum { HST_COLUMN_NONE = -1 };

/* What a column of sides says of a row. */
enum hst_split_words {
    HST_SPLIT_NAMED,   /* "train", "valid", ... */
    HST_SPLIT_IS_VAL,  /* true: validation, false: training */
    HST_SPLIT_IS_TEST, /* true: test, false: training */
    HST_SPLIT_IS_TRAIN /* true: training, false: validation */
};

typedef struct hst_columns {
    int path;
    int split; /* HST_COLUMN_NONE: none */
    enum hst_split_words words;
    int *label; /* [n_labels] in the table's arena; several where they were asked for; 0: none */
    int n_labels;
    int *mark; /* [n_marks] a column a label that says 1 or 0; 0: none, and labels are */
    int n_marks;
} hst_columns;

typedef struct hst_columns_query {
    const char *file; /* for messages */
    /* What was asked for, a name or a number from 1, or NULL; label: several with ',' between. */
    const char *path, *label, *split;
    int without_label; /* 1: what photos show is not said by a column */
    /* Whether a cell is the name of a photo that is there. */
    int (*found)(void *arg, const char *cell);
    void *arg;
} hst_columns_query;

/* The table's header is taken where it has one. Errors: HST_EDATA (no such column; several or none
 * that it could be: the message names the option), HST_EMEM. */
HST_CHECK int hst_columns_choose(hst_table *t, const hst_columns_query *q, hst_columns *c,
                                 hst_err *err);

/* Whether a column of that name is one of labels. */
int hst_column_is_label(const char *name);

/* A yes or no as tables have it: 1, 0, or -1 where it is neither. */
int hst_cell_flag(const char *text);
#endif

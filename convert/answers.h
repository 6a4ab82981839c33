/* answers.h - a file's own graph, of any format, and the made-up picture of formats/probe.h: what
 * the graph is given, how much it may compute, and what it makes of it. */
#ifndef CONVERT_ANSWERS_H
#define CONVERT_ANSWERS_H
#include "evaluate.h"
#include "name_table.h"
#include "network.h"

enum { MOST_ANSWERS = 32 };

/* Vectors [1][C] and tokens [N][C], of which the last ones may be the features. */
typedef struct answers {
    hst_tensor t[MOST_ANSWERS];
    int n;
} answers;

/* What a graph of such a file may compute: far more than networks of its weights do. */
evaluator answers_budget(const hst_source *s);
/* Fills *picture [1][height][width][3], of 0: the usual size, and says the fact "probe". */
HST_CHECK int answers_draw(evaluator *e, weights *w, const int64_t size[2], int scaled,
                           ev_array *picture, hst_err *err);
/* Keeps a value that may be the features; tokens only where the graph gives them. */
HST_CHECK int answers_keep(answers *a, weights *w, const ev_array *value, int is_output,
                           hst_err *err);
/* Adds them to the result. HST_EMODEL: there are none. */
HST_CHECK int answers_add(answers *a, weights *w, hst_err *err);

/* The names of w's tensors, and room for so many more: what is added besides has another. */
HST_CHECK int answers_taken(const weights *w, size_t more, names *taken, hst_err *err);

/* Has a graph told to net and, where that cannot be or net goes on behind what it took for the
 * features, computed; compute NULL: it is not. Both are given `of`, and add to w. */
typedef int answers_way(void *of, hst_err *err);
HST_CHECK int answers_or_network(weights *w, const network *net, answers_way *tell,
                                 answers_way *compute, void *of, hst_err *err);
#endif

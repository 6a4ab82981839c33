/* c_source.h - a model as C source: the files, and the calls that the network is. */
#ifndef HST_EXPORTS_C_SOURCE_H
#define HST_EXPORTS_C_SOURCE_H
#include "exports/export.h"

/* Texts of the files in c/ by name; NULL ends them. (c_pieces.c, which the build makes) */
extern const char *const hst_c_pieces[][2];

/* Where everything lies, in floats. A narrow kernel's w is among the narrow numbers, from where it
 * is brought into the arena; where it has scales, these are among the weights in its place. */
typedef struct hst_c_places {
    enum hst_weights kept;
    const hst_step_range *range; /* [steps] over photos; NULL: not known */
    size_t *value;               /* [steps] in the arena; of constants in the weights */
    size_t *weights;             /* [steps] of w, or its scales, among the weights */
    size_t *bias;                /* [steps] of b, likewise */
    size_t *narrow;              /* [steps] of w among the narrow numbers */
    size_t *wide;                /* [steps] of w in the arena */
    size_t n_weights, n_narrow;
    size_t arena;  /* so large */
    size_t room;   /* from here on nothing is in use before the network runs */
    size_t scores; /* work memory of attention */
} hst_c_places;

HST_CHECK int hst_c_places_make(const hst_program *p, enum hst_weights kept, hst_c_places *out,
                                hst_err *err);
/* Whether the step's kernel is among the narrow numbers. */
int hst_c_is_narrow(const hst_do_step *s, enum hst_weights kept);
void hst_c_places_free(hst_c_places *p);

/* The statements of the network, and which pieces they need: needed[pieces]. HST_EUNSUP: a step
 * that has no words in C. (c_steps.c) */
HST_CHECK int hst_c_steps(const hst_program *p, const hst_c_places *at, hst_buf *text, char *needed,
                          hst_err *err);
/* A float of C, "0.5f", in any locale. */
void hst_c_float(hst_buf *b, double v);
void hst_c_need(char *needed, const char *piece);

/* Weights are strings of so many bytes, an array of them; one of C99 has at most 4095. */
enum { HST_C_ROW_BYTES = 4092 };

/* hst_exporter.ask: the weights are read back from the file, and the rest of it is compiled, since
 * that is most of the time. hst_exporter.run: the file is compiled as it is. (c_check.c) */
int hst_c_ask(const hst_exporting *x, hst_probes *p, char how[96], hst_err *err);
int hst_c_run(const hst_exporting *x, hst_probes *p, char who[96], hst_err *err);
#endif

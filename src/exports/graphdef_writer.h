/* graphdef_writer.h - what steps are written with; see graphdef_steps.c. */
#ifndef HST_EXPORTS_GRAPHDEF_WRITER_H
#define HST_EXPORTS_GRAPHDEF_WRITER_H
#include "exports/graphdef.h"

typedef struct hst_tf_value {
    const char *name;
    int is_map; /* a vector as [batch][1][1][c] */
} hst_tf_value;

typedef struct hst_tf_writer {
    hst_tf *g;
    const hst_program *program;
    const char *output;
    hst_tf_value *value; /* [steps] */
} hst_tf_writer;

#define IN(...)                                                                                    \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define WITH(...)                                                                                  \
    (const hst_tf_attr[]){__VA_ARGS__},                                                            \
        (int)(sizeof((const hst_tf_attr[]){__VA_ARGS__}) / sizeof(hst_tf_attr))
#define WHOLE(w, ...)                                                                              \
    hst_tf_whole((w)->g, (const int32_t[]){__VA_ARGS__},                                           \
                 (int)(sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)))

static inline const hst_do_step *hst_tf_step(const hst_tf_writer *w, int i)
{
    return &w->program->step[i];
}

/* What the step's nodes and tensors are called by. */
const char *hst_tf_base(hst_tf_writer *w, int i);

/* A node on floats, with these attributes beside that type. All return the node's name. */
const char *hst_tf_node_add(hst_tf_writer *w, const char *op, const char *name,
                            const char *const *in, const hst_tf_attr *attr, int n_attrs);
const char *hst_tf_unary(hst_tf_writer *w, const char *op, const char *name, const char *x);
const char *hst_tf_binary(hst_tf_writer *w, const char *op, const char *name, const char *x,
                          const char *y);
/* shape: whole numbers, -1 for the batch. */
const char *hst_tf_reshaped(hst_tf_writer *w, const char *name, const char *x, const char *shape);

/* name = act(x). */
void hst_tf_activate(hst_tf_writer *w, enum hst_act act, const char *name, const char *x);
/* The activation's operator where it is one that others take in behind them; else NULL. */
const char *hst_tf_fused(enum hst_act act);

/* Constants of a step; each returns what nodes read it by. */
const char *hst_tf_constant(hst_tf_writer *w, int i, const char *part, const hst_tf_tensor *of);
const char *hst_tf_vector(hst_tf_writer *w, int i, const char *part, const float *x);

/* Norms, and steps of tokens. (graphdef_tokens.c) */
void hst_tf_norm(hst_tf_writer *w, int i, const char *to);
void hst_tf_attention(hst_tf_writer *w, int i, const char *to);
void hst_tf_turn(hst_tf_writer *w, int i, const char *to);
#endif

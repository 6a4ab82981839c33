/* tflite_writer.h - what steps are written with; see tflite_steps.c. Tensors go by their numbers;
 * names are what they are called by. */
#ifndef HST_EXPORTS_TFLITE_WRITER_H
#define HST_EXPORTS_TFLITE_WRITER_H
#include "exports/tflite.h"

typedef struct hst_tfl_writer {
    hst_tfl *g;
    const hst_program *program;
    enum hst_weights weights;
    const hst_step_range *range; /* [steps]; NULL: not known */
    const char *output;
    int *value; /* [steps] tensors */
} hst_tfl_writer;

#define IN(...)                                                                                    \
    (const int[])                                                                                  \
    {                                                                                              \
        __VA_ARGS__, -1                                                                            \
    }
#define WHOLE(w, ...)                                                                              \
    hst_tfl_whole((w)->g, (const int32_t[]){__VA_ARGS__},                                          \
                  (int)(sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)))
#define OPTIONS(...)                                                                               \
    (const hst_fb_field[]){__VA_ARGS__},                                                           \
        (int)(sizeof((const hst_fb_field[]){__VA_ARGS__}) / sizeof(hst_fb_field))
#define BYTE(id, v)                                                                                \
    {                                                                                              \
        (id), HST_FB_BYTE, (v), 0                                                                  \
    }
#define INT(id, v)                                                                                 \
    {                                                                                              \
        (id), HST_FB_INT, (v), 0                                                                   \
    }

static inline const hst_do_step *hst_tfl_step(const hst_tfl_writer *w, int i)
{
    return &w->program->step[i];
}

/* Until the next tensor is added. */
static inline const hst_tfl_tensor *hst_tfl_at(const hst_tfl_writer *w, int t)
{
    return w->g->rc ? &w->g->spare : &w->g->tensor[t];
}

/* What the step's tensors are called by. */
const char *hst_tfl_base(hst_tfl_writer *w, int i);

/* The operator writes tensor `to`; -1 ends its inputs. */
void hst_tfl_operate(hst_tfl_writer *w, enum hst_tfl_code code, int to, const int *in,
                     const hst_fb_field *option, int n_options);
/* Tensors that operators make: of so many dimensions, and like x. */
int hst_tfl_new(hst_tfl_writer *w, const char *name, const int32_t *dim, int n);
int hst_tfl_like(hst_tfl_writer *w, const char *name, int x);
/* A new tensor like x: of x alone, and x op y, where the operator is ADD, SUB or MUL. */
int hst_tfl_unary(hst_tfl_writer *w, enum hst_tfl_code code, const char *name, int x);
int hst_tfl_binary(hst_tfl_writer *w, enum hst_tfl_code code, const char *name, int x, int y);
/* x in another shape; the first dimension is the batch. */
int hst_tfl_reshaped(hst_tfl_writer *w, const char *name, int x, const int32_t *dim, int n);
int hst_tfl_transposed(hst_tfl_writer *w, const char *name, int x, const int32_t order[4]);

/* What its numbers lie between, where ranges are known at all. */
void hst_tfl_set_range(hst_tfl_writer *w, int t, hst_range range);
/* Its channels' means, likewise. */
void hst_tfl_set_mean(hst_tfl_writer *w, int t, const float *mean);

/* One number; a constant of step i; one number a channel of its value: in float32, since they are
 * few and every answer depends on them. */
int hst_tfl_scalar(hst_tfl_writer *w, double v);
int hst_tfl_constant(hst_tfl_writer *w, int i, const char *part, const hst_tfl_tensor *of);
int hst_tfl_vector(hst_tfl_writer *w, int i, const char *part, const float *x);
/* The kernel of a convolution or dense layer, where it is large enough to count in the bits that
 * weights have, of 8 bits with a scale for each output channel. direct: the operator itself takes
 * 8 bits. */
int hst_tfl_kernel(hst_tfl_writer *w, int i, const hst_tfl_tensor *of, int direct);

int hst_tfl_activate(hst_tfl_writer *w, enum hst_act act, const char *name, int x);
/* What an operator itself does behind its sum. */
int hst_tfl_fused(const hst_do_step *s);
#endif

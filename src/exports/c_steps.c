/* c_steps.c - a program's steps as calls of the functions in c/, and where their values lie. */
#include "exports/c_source.h"

#include "base/mem.h"
#include "exports/narrow.h"
#include "nn/plan/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const act_words[HST_ACTS] = {
    [HST_ACT_NONE] = "NONE",           [HST_ACT_RELU6] = "RELU6",
    [HST_ACT_RELU] = "RELU",           [HST_ACT_SIGMOID] = "SIGMOID",
    [HST_ACT_HSIGMOID] = "HSIGMOID",   [HST_ACT_HSWISH] = "HSWISH",
    [HST_ACT_SWISH] = "SWISH",         [HST_ACT_GELU] = "GELU",
    [HST_ACT_GELU_TANH] = "GELU_TANH", [HST_ACT_GELU_QUICK] = "GELU_QUICK"};

/* ---- places ---- */

void hst_c_places_free(hst_c_places *p)
{
    free(p->value); /* the others lie behind it */
    *p = (hst_c_places){0};
}

/* A part of its input, which lies there already; softmax works where its input is. */
static int lies_inside(const hst_do_step *s)
{
    return s->what == HST_DO_SHAPE || s->what == HST_DO_SOFTMAX ||
           (s->what == HST_DO_SLICE && s->axis == 0);
}

/* The value that has the memory of step i. */
static int owner(const hst_program *p, int i)
{
    while (lies_inside(&p->step[i]))
        i = p->step[i].input[0];
    return i;
}

static size_t offset_inside(const hst_program *p, int i)
{
    size_t at = 0;
    for (; lies_inside(&p->step[i]); i = p->step[i].input[0])
        if (p->step[i].what == HST_DO_SLICE)
            at += (size_t)p->step[i].begin * (size_t)hst_do_channels(&p->step[i]);
    return at;
}

int hst_c_is_narrow(const hst_do_step *s, enum hst_weights kept)
{
    return (s->what == HST_DO_CONV || s->what == HST_DO_DEPTHWISE || s->what == HST_DO_DENSE) &&
           hst_is_narrow(kept, s->n_w, s->what == HST_DO_DEPTHWISE);
}

static void place_weights(const hst_program *p, hst_c_places *at)
{
    for (int i = 0; i < p->n; i++) {
        const hst_do_step *s = &p->step[i];
        const int narrow = hst_c_is_narrow(s, at->kept);
        const size_t scales = at->kept == HST_WEIGHTS_INT8 ? (size_t)hst_do_channels(s) : 0;
        at->weights[i] = at->n_weights;
        at->bias[i] = at->n_weights + (narrow ? scales : s->n_w);
        at->n_weights = at->bias[i] + s->n_b;
        at->narrow[i] = at->n_narrow;
        at->n_narrow += narrow ? s->n_w : 0;
    }
}

static void live(const hst_program *p, hst_value *value)
{
    for (int i = 0; i < p->n; i++) {
        value[i] = (hst_value){.floats = hst_do_floats(&p->step[i]), .first = i, .last = i};
        for (int k = 0; k < p->step[i].n_inputs; k++)
            value[owner(p, p->step[i].input[k])].last = i;
        value[owner(p, i)].last = i;
    }
}

static size_t scores_of(const hst_program *p)
{
    size_t most = 0;
    for (int i = 0; i < p->n; i++) {
        const hst_do_step *s = &p->step[i];
        const int last = s->what == HST_DO_ATTENTION ? s->input[s->n_inputs - 1] : -1;
        if (last >= 0 && (size_t)p->step[last].dim[0] > most)
            most = (size_t)p->step[last].dim[0];
    }
    return most;
}

/* Values, and kernels that are brought there, each as long as it is needed. */
static void place_values(const hst_program *p, hst_c_places *at, hst_value *value, hst_value **list)
{
    hst_value *kernel = value + p->n;
    int listed = 0;
    live(p, value);
    for (int i = 0; i < p->n; i++) {
        if (!lies_inside(&p->step[i]) && p->step[i].what != HST_DO_CONST)
            list[listed++] = &value[i];
        if (!hst_c_is_narrow(&p->step[i], at->kept))
            continue;
        kernel[i] = (hst_value){.floats = p->step[i].n_w, .first = i, .last = i};
        list[listed++] = &kernel[i];
    }
    hst_layout(list, listed, &at->arena);
    for (int i = 0; i < p->n; i++) {
        at->value[i] = p->step[i].what == HST_DO_CONST
                           ? at->weights[i]
                           : value[owner(p, i)].offset + offset_inside(p, i);
        at->wide[i] = kernel[i].offset;
    }
}

int hst_c_places_make(const hst_program *p, enum hst_weights kept, hst_c_places *out, hst_err *err)
{
    enum { LEAST_ROOM = 65536 }; /* of the tables for resizing a photo */
    const size_t n = (size_t)p->n;
    hst_value *value = hst_alloc(2 * n, sizeof *value, err), **list = NULL;
    *out = (hst_c_places){.kept = kept};
    list = value ? hst_alloc(2 * n, sizeof(*list), err) : NULL;
    out->value = list ? hst_alloc(n, 5 * sizeof *out->value, err) : NULL;
    const int made = out->value != NULL;
    if (made) {
        out->weights = out->value + n;
        out->bias = out->weights + n;
        out->narrow = out->bias + n;
        out->wide = out->narrow + n;
        place_weights(p, out);
        place_values(p, out, value, list);
        out->scores = out->arena;
        out->arena += scores_of(p);
        out->room = out->value[0] + value[0].floats;
        if (out->arena < out->room + LEAST_ROOM)
            out->arena = out->room + LEAST_ROOM;
    }
    free(list);
    free(value);
    return made ? 0 : HST_EMEM;
}

/* ---- calls ---- */

void hst_c_float(hst_buf *b, double v)
{
    const size_t at = b->n;
    hst_buf_double(b, (double)(float)v);
    if (b->failed)
        return;
    hst_buf_puts(b, strpbrk(b->p + at, ".e") ? "f" : ".0f");
}

typedef struct writer {
    const hst_program *program;
    const hst_c_places *at;
    hst_buf *text;
    char *needed;
} writer;

void hst_c_need(char *needed, const char *piece)
{
    for (int i = 0; hst_c_pieces[i][0]; i++)
        if (strcmp(hst_c_pieces[i][0], piece) == 0)
            needed[i] = 1;
}

/* "A + 1024", or where it is constant "W + 1024". */
static const char *value(const writer *w, int i, char text[40])
{
    const int constant = w->program->step[i].what == HST_DO_CONST;
    snprintf(text, 40, "%c + %zu", constant ? 'W' : 'A', w->at->value[i]);
    return text;
}

static void put_window(const writer *w, int i)
{
    const hst_do_step *s = &w->program->step[i], *in = &w->program->step[s->input[0]];
    const hst_do_window *k = &s->window;
    hst_buf_printf(w->text,
                   "&(const struct window){%d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, "
                   "%d, %s}",
                   in->dim[0], in->dim[1], in->dim[2], s->dim[0], s->dim[1], s->dim[2], k->kernel_h,
                   k->kernel_w, k->stride_h, k->stride_w, k->top, k->left,
                   s->groups ? s->groups : 1, act_words[s->act]);
}

static int is_pointwise(const hst_do_step *s)
{
    const hst_do_window *k = &s->window;
    return s->what == HST_DO_CONV && s->groups == 1 && k->kernel_h == 1 && k->kernel_w == 1 &&
           k->stride_h == 1 && k->stride_w == 1;
}

/* "W + 4096, W + 8192, ": kernel and bias; narrow ones are made wide first. */
static void put_weights(const writer *w, int i)
{
    const hst_do_step *s = &w->program->step[i];
    const hst_c_places *at = w->at;
    const int channels = hst_do_channels(s);
    if (!hst_c_is_narrow(s, at->kept))
        hst_buf_printf(w->text, "W + %zu, ", at->weights[i]);
    else if (at->kept == HST_WEIGHTS_FLOAT16)
        hst_buf_printf(w->text, "wide(N + %zu, A + %zu, %zu), ", at->narrow[i], at->wide[i],
                       s->n_w);
    else
        hst_buf_printf(w->text, "wide(N + %zu, W + %zu, A + %zu, %zu, %d), ", at->narrow[i],
                       at->weights[i], at->wide[i], s->n_w / (size_t)channels, channels);
    hst_buf_printf(w->text, "W + %zu, ", at->bias[i]);
}

/* conv, depthwise, max_pool, pad */
static void windowed(const writer *w, int i, const char *function)
{
    const hst_do_step *s = &w->program->step[i];
    char x[40], y[40];
    hst_c_need(w->needed, "window");
    hst_c_need(w->needed, function);
    hst_buf_printf(w->text, "    %s(%s, ", function, value(w, s->input[0], x));
    if (s->w)
        put_weights(w, i);
    hst_buf_printf(w->text, "%s, ", value(w, i, y));
    put_window(w, i);
    hst_buf_puts(w->text, ");");
}

/* dense, affine, norms: x, w, b, y, rows, ... */
static void weighted(const writer *w, int i, const char *function)
{
    const hst_do_step *s = &w->program->step[i];
    const size_t n = hst_do_positions(s), c = (size_t)hst_do_channels(s);
    char x[40], y[40], more[64] = "";
    hst_c_need(w->needed, function);
    if (strcmp(function, "dense") == 0)
        snprintf(more, sizeof more, "%zu, ", s->n_w / c);
    hst_buf_printf(w->text, "    %s(%s, ", function, value(w, s->input[0], x));
    put_weights(w, i);
    hst_buf_printf(w->text, "%s, %zu, %s%zu, ", value(w, i, y), n, more, c);
    if (s->what == HST_DO_GROUP_NORM)
        hst_buf_printf(w->text, "%d, ", s->groups);
    if (s->what == HST_DO_LAYER_NORM || s->what == HST_DO_GROUP_NORM) {
        hst_c_float(w->text, s->epsilon);
        hst_buf_puts(w->text, ", ");
    }
    hst_buf_printf(w->text, "%s);", act_words[s->act]);
}

static void two(const writer *w, int i)
{
    const hst_do_step *s = &w->program->step[i];
    const char *function = s->what == HST_DO_ADD ? "add" : "multiply";
    char x[40], z[40], y[40];
    hst_c_need(w->needed, function);
    hst_buf_printf(w->text, "    %s(%s, %s, %s, ", function, value(w, s->input[0], x),
                   value(w, s->input[1], z), value(w, i, y));
    if (s->what == HST_DO_ADD)
        hst_buf_printf(w->text, "%zu, ", hst_do_floats(s));
    else
        hst_buf_printf(w->text, "%zu, %d, %zu, ", hst_do_positions(s), hst_do_channels(s),
                       hst_do_positions(&w->program->step[s->input[1]]));
    hst_buf_printf(w->text, "%s);", act_words[s->act]);
}

/* mean, alone */
static void one(const writer *w, int i, const char *function)
{
    const hst_do_step *s = &w->program->step[i], *in = &w->program->step[s->input[0]];
    char x[40], y[40];
    hst_c_need(w->needed, function);
    hst_buf_printf(w->text, "    %s(%s, %s, ", function, value(w, s->input[0], x), value(w, i, y));
    if (s->what == HST_DO_MEAN)
        hst_buf_printf(w->text, "%zu, %d, %s);", hst_do_positions(in), s->dim[0],
                       act_words[s->act]);
    else
        hst_buf_printf(w->text, "%zu, %s);", hst_do_floats(s), act_words[s->act]);
}

static void attention(const writer *w, int i)
{
    const hst_do_step *s = &w->program->step[i];
    const int cross = s->n_inputs == 2, c = s->dim[1];
    const hst_do_step *kv = &w->program->step[s->input[cross]];
    char q[40], k[40], y[40];
    hst_c_need(w->needed, "softmax");
    hst_c_need(w->needed, "attention");
    value(w, s->input[cross], k);
    hst_buf_printf(w->text, "    attention(%s, %s + %d, %s + %d, %s, ", value(w, s->input[0], q), k,
                   cross ? 0 : c, k, cross ? c : 2 * c, value(w, i, y));
    hst_buf_printf(w->text, "&(const struct attention){%d, %d, %d, %d, %d, %d, ", s->dim[0],
                   kv->dim[0], c, s->heads, cross ? c : 3 * c, cross ? 2 * c : 3 * c);
    hst_c_float(w->text, s->scale);
    hst_buf_printf(w->text, "}, A + %zu);", w->at->scores);
}

/* Channels side by side, or, along the first axis, blocks one behind the other. */
static void concat(const writer *w, int i)
{
    const hst_do_step *s = &w->program->step[i];
    const int channels = s->axis == s->rank - 1;
    const size_t rows = channels ? hst_do_positions(s) : 1;
    const size_t all = hst_do_floats(s) / rows;
    char x[40], y[40];
    hst_c_need(w->needed, "concat");
    for (size_t k = 0, at = 0; k < (size_t)s->n_inputs; k++) {
        const size_t n = hst_do_floats(&w->program->step[s->input[k]]) / rows;
        hst_buf_printf(w->text, "%s    concat(%s, %s, %zu, %zu, %zu, %zu);", k ? "\n" : "",
                       value(w, s->input[k], x), value(w, i, y), rows, n, at, all);
        at += n;
    }
}

/* Channels from s->begin on. */
static void slice(const writer *w, int i)
{
    const hst_do_step *s = &w->program->step[i], *in = &w->program->step[s->input[0]];
    char x[40], y[40];
    hst_c_need(w->needed, "slice");
    hst_buf_printf(w->text, "    slice(%s, %s, %zu, %d, %d, %d);", value(w, s->input[0], x),
                   value(w, i, y), hst_do_positions(s), hst_do_channels(s), s->begin,
                   hst_do_channels(in));
}

static void turn(const writer *w, int i)
{
    const hst_do_step *s = &w->program->step[i];
    char x[40], y[40];
    hst_c_need(w->needed, "turn");
    hst_buf_printf(w->text, "    turn(%s, ", value(w, s->input[0], x));
    put_weights(w, i);
    hst_buf_printf(w->text, "%s, %d, %d, %d, %d);", value(w, i, y), s->dim[0], s->heads,
                   s->dim[1] / s->heads, s->group);
}

static void softmax(const writer *w, int i)
{
    char x[40];
    hst_c_need(w->needed, "softmax");
    hst_buf_printf(w->text, "    softmax(%s, %zu);", value(w, i, x),
                   hst_do_floats(&w->program->step[i]));
}

/* 1: it is written; 0: there is nothing to do; -1: no words. */
static int write_step(const writer *w, int i)
{
    const hst_do_step *s = &w->program->step[i];
    switch (s->what) {
    case HST_DO_CONV:
        if (is_pointwise(s))
            weighted(w, i, "dense");
        else
            windowed(w, i, "conv");
        return 1;
    case HST_DO_DEPTHWISE:
        windowed(w, i, "depthwise");
        return 1;
    case HST_DO_MAX_POOL:
        windowed(w, i, "max_pool");
        return 1;
    case HST_DO_AVERAGE_POOL:
        windowed(w, i, "average_pool");
        return 1;
    case HST_DO_TURN:
        turn(w, i);
        return 1;
    case HST_DO_PAD:
        windowed(w, i, "pad");
        return 1;
    case HST_DO_DENSE:
        weighted(w, i, "dense");
        return 1;
    case HST_DO_AFFINE:
        weighted(w, i, "affine");
        return 1;
    case HST_DO_LAYER_NORM:
        weighted(w, i, "layer_norm");
        return 1;
    case HST_DO_GROUP_NORM:
        weighted(w, i, "group_norm");
        return 1;
    case HST_DO_ADD:
    case HST_DO_MULTIPLY:
        two(w, i);
        return 1;
    case HST_DO_MEAN:
        one(w, i, "mean");
        return 1;
    case HST_DO_ACTIVATE:
        one(w, i, "alone");
        return 1;
    case HST_DO_ATTENTION:
        attention(w, i);
        return 1;
    case HST_DO_CONCAT:
        concat(w, i);
        return 1;
    case HST_DO_SOFTMAX:
        softmax(w, i);
        return 1;
    case HST_DO_SLICE:
        if (s->axis != 0)
            slice(w, i);
        return s->axis != 0;
    case HST_DO_INPUT:
    case HST_DO_CONST:
    case HST_DO_SHAPE:
        return 0;
    case HST_DO_BATCH_NORM:
        return -1;
    }
    return -1;
}

int hst_c_steps(const hst_program *p, const hst_c_places *at, hst_buf *text, char *needed,
                hst_err *err)
{
    const writer w = {p, at, text, needed};
    for (int i = 0; i < p->n; i++) {
        const int wrote = write_step(&w, i);
        if (wrote < 0)
            return hst_fail(err, HST_EUNSUP, "a %s cannot be written in C",
                            hst_do_names[p->step[i].what]);
        if (wrote && p->step[i].name[0])
            hst_buf_printf(text, " /* %s */", p->step[i].name);
        if (wrote)
            hst_buf_puts(text, "\n");
    }
    return hst_buf_check(text, err);
}

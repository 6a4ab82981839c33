/* c_source.c - a model as C99: model.h and model.c, which need libm alone and no memory but one
 * static block. The pieces that the code is put together from are files in c/. */
#include "exports/c_source.h"

#include "base/file.h"
#include "base/mem.h"
#include "exports/narrow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 1 << 26 };

/* ---- texts ---- */

static const hst_prep *prep_of(const hst_exporting *x)
{
    return &hst_model_plain(x->model)->view[0].prep;
}

/* The card as a comment, whose end it must not have. */
static void put_card(hst_buf *b, const hst_exporting *x)
{
    hst_buf_puts(b, "/*\n");
    for (const char *line = x->about->card; *line;) {
        const size_t n = strcspn(line, "\n");
        hst_buf_puts(b, n ? " * " : " *");
        for (size_t i = 0; i < n; i++)
            hst_buf_add(b, line[i] == '/' && i && line[i - 1] == '*' ? "|" : line + i, 1);
        hst_buf_puts(b, "\n");
        line += n + (line[n] == '\n');
    }
    hst_buf_puts(b, " */\n");
}

static void put_string(hst_buf *b, const char *s)
{
    hst_buf_puts(b, "\"");
    for (; *s; s++)
        if (*s == '"' || *s == '\\' || *s == '?' || (unsigned char)*s < ' ' ||
            (unsigned char)*s > '~')
            hst_buf_printf(b, "\\%03o", (unsigned)(unsigned char)*s);
        else
            hst_buf_add(b, s, 1);
    hst_buf_puts(b, "\"");
}

static void put_header(hst_buf *b, const hst_exporting *x, const hst_c_places *at)
{
    const hst_size size = prep_of(x)->size;
    const char *what = x->model->target == HST_TARGET_NUMBER ? "the number"
                       : x->ends.logits                      ? "a logit a class"
                                                             : "a probability a class";
    put_card(b, x);
    hst_buf_puts(b, "#ifndef MODEL_H\n#define MODEL_H\n#include <stdint.h>\n\n");
    hst_buf_puts(b, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    hst_buf_printf(b,
                   "enum { MODEL_CLASSES = %d, MODEL_WIDTH = %d, MODEL_HEIGHT = %d };\n"
                   "#define MODEL_ARENA_BYTES %zu /* of static memory, beside the weights */\n"
                   "extern const char *const model_labels[MODEL_CLASSES];\n\n",
                   x->model->n_classes, size.width, size.height, at->arena * sizeof(float));
    hst_buf_printf(b,
                   "/* A picture of any size, rgb[h][w][3], upright -> prob[MODEL_CLASSES], %s. 0, "
                   "or -1: a\n * picture without pixels, or too large for the static memory. One "
                   "call at a time. */\n"
                   "int model_predict(const uint8_t *rgb, int w, int h, float *prob);\n\n"
                   "/* The same of a picture that has the network's size, "
                   "rgb[MODEL_HEIGHT][MODEL_WIDTH][3]. */\n"
                   "int model_predict_pixels(const uint8_t *rgb, float *prob);\n\n",
                   what);
    hst_buf_puts(b, "#ifdef __cplusplus\n}\n#endif\n#endif\n");
}

/* What the pieces take for granted. */
static int put_constants(hst_buf *b, const hst_exporting *x, const hst_c_places *at, hst_err *err)
{
    const hst_prep *p = prep_of(x);
    const int tf = p->resampler == HST_RESAMPLE_TF;
    const int black = p->norm.mean[0] == 0 && p->norm.mean[1] == 0 && p->norm.mean[2] == 0;
    if (tf && p->interpolation != HST_BILINEAR)
        return hst_fail(err, HST_EUNSUP,
                        "photos are resized as tf.image.resize does with '%s', "
                        "which the C code does not have",
                        hst_interpolation_name(p->interpolation));
    hst_buf_puts(b, "#include \"model.h\"\n\n#include <math.h>\n#include <stddef.h>\n"
                    "#include <string.h>\n\n");
    hst_buf_printf(b, "enum { WIDTH = MODEL_WIDTH, HEIGHT = MODEL_HEIGHT };\n");
    if (!tf)
        hst_buf_printf(b, "enum { BICUBIC = %d };\n",
                       p->interpolation == HST_BICUBIC ||
                           p->interpolation == HST_BICUBIC_ANTIALIAS);
    if (hst_prep_crops(p))
        hst_buf_printf(b, "enum { RESIZE_WIDTH = %d, RESIZE_HEIGHT = %d, CROP_TO_EVEN = %d };\n",
                       p->resize.width, p->resize.height, p->geometry == HST_CROP_TORCHVISION);
    hst_buf_printf(b, "enum { ARENA_FLOATS = MODEL_ARENA_BYTES / 4, INPUT = %zu, ROOM = %zu };\n",
                   at->value[0], at->room);
    hst_buf_puts(b, "#define GROUND {");
    for (int c = 0; c < 3; c++) {
        hst_buf_puts(b, c ? ", " : "");
        hst_c_float(b, black ? 127.5 : (double)p->norm.mean[c]);
    }
    hst_buf_puts(b, "} /* around a padded picture: the mean, which becomes 0 */\n\n");
    hst_buf_puts(b, "const char *const model_labels[MODEL_CLASSES] = {");
    for (int i = 0; i < x->model->n_classes; i++) {
        hst_buf_puts(b, i ? ",\n    " : "\n    ");
        put_string(b, x->model->labels[i]);
    }
    hst_buf_puts(b, "};\n\n");
    hst_buf_puts(b, "/* What is computed, and nothing else. Places in it are shared by values that "
                    "are not\n * needed at the same time. */\n"
                    "static union {\n    float f[ARENA_FLOATS];\n    int32_t i[ARENA_FLOATS];\n"
                    "} arena;\n\n");
    return 0;
}

/* ---- weights ---- */

/* Strings of bytes: compilers read them twenty times as fast as lists of numbers. A string of C99
 * has at most 4095 characters. */
enum { ROW_BYTES = HST_C_ROW_BYTES, LINE_BYTES = 60 };

/* How a byte is written: as it is or as an octal escape, whose digits end only with the third or in
 * front of what is none. */
typedef struct byte_text {
    char text[2][4]; /* the shortest; in front of an octal digit */
    unsigned char n[2];
} byte_text;

static void spell(byte_text of[256])
{
    for (int c = 0; c < 256; c++)
        for (int before_digit = 0; before_digit < 2; before_digit++) {
            char text[8];
            const int plain = c >= ' ' && c < 127 && c != '"' && c != '\\' && c != '?';
            const int n = snprintf(text, sizeof text,
                                   plain          ? "%c"
                                   : before_digit ? "\\%03o"
                                                  : "\\%o",
                                   (unsigned)c);
            memcpy(of[c].text[before_digit], text, 4);
            of[c].n[before_digit] = (unsigned char)n;
        }
}

typedef struct bytes_out {
    hst_out *o;
    size_t n; /* bytes so far */
    char text[1 << 16];
    size_t at;
    byte_text spelled[256];
} bytes_out;

static int flush(bytes_out *b, size_t room, hst_err *err)
{
    if (sizeof b->text - b->at > room)
        return 0;
    const size_t n = b->at;
    b->at = 0;
    return hst_out_write(b->o, b->text, n, err);
}

static void put_text(bytes_out *b, const char *text)
{
    const size_t n = strlen(text);
    memcpy(b->text + b->at, text, n);
    b->at += n;
}

/* A byte of a string, in front of `next` if that is a byte of the same. */
static void put_byte(bytes_out *b, unsigned char c, int next)
{
    const byte_text *t = &b->spelled[c];
    const int before_digit = next >= '0' && next <= '7';
    memcpy(b->text + b->at, t->text[before_digit], 4);
    b->at += t->n[before_digit];
}

/* Line by line of what is left of the row. */
static int write_bytes(bytes_out *b, const unsigned char *x, size_t n, hst_err *err)
{
    int rc = 0;
    while (n && rc == 0) {
        const size_t at = b->n % ROW_BYTES, row = ROW_BYTES - at;
        const size_t line = LINE_BYTES - at % LINE_BYTES, left = line < row ? line : row;
        const size_t take = n < left ? n : left;
        if (at == 0)
            put_text(b, b->n ? "\",\n\"" : "\"");
        else if (line == LINE_BYTES)
            put_text(b, "\"\n\"");
        for (size_t i = 0; i + 1 < take; i++)
            put_byte(b, x[i], x[i + 1]);
        put_byte(b, x[take - 1], take == left ? 'x' : '0');
        x += take;
        n -= take;
        b->n += take;
        rc = flush(b, 5 * LINE_BYTES, err);
    }
    return rc;
}

/* "static const union {...} weights = {{": so many bytes, also read as that type. */
static void begin_bytes(bytes_out *b, const char *what, size_t bytes, const char *type,
                        size_t width)
{
    const size_t rows = (bytes + ROW_BYTES - 1) / ROW_BYTES;
    b->n = 0;
    b->at +=
        (size_t)snprintf(b->text + b->at, sizeof b->text - b->at,
                         "static const union {\n    char bytes[%zu][%d];\n    %s n[%zu];\n} %s "
                         "= {{\n",
                         rows, ROW_BYTES, type, rows * (ROW_BYTES / width), what);
}

static int end_bytes(bytes_out *b, hst_err *err)
{
    put_text(b, "\"}};\n\n");
    return flush(b, sizeof b->text, err);
}

static int write_floats(bytes_out *b, const float *x, size_t n, hst_err *err)
{
    return write_bytes(b, (const unsigned char *)x, n * sizeof *x, err);
}

/* Scales in the place of a kernel that is in steps of them. */
static int write_scales(bytes_out *b, const hst_do_step *s, hst_err *err)
{
    const size_t channels = (size_t)hst_do_channels(s);
    int rc = 0;
    for (size_t c = 0; rc == 0 && c < channels; c++) {
        const float scale = hst_int8_scale(s->w + c, s->n_w / channels, channels);
        rc = write_floats(b, &scale, 1, err);
    }
    return rc;
}

/* Of a kernel in steps without what their rounding adds on average, where photos tell it. */
static int write_bias(bytes_out *b, const hst_program *p, const hst_c_places *at, int i,
                      hst_err *err)
{
    const hst_do_step *s = &p->step[i];
    const float *mean = at->range && s->n_inputs ? at->range[s->input[0]].mean : NULL;
    if (!mean || at->kept != HST_WEIGHTS_INT8 || !hst_c_is_narrow(s, at->kept))
        return write_floats(b, s->b, s->n_b, err);
    const size_t out = s->n_b, taps = (size_t)s->window.kernel_h * (size_t)s->window.kernel_w;
    const size_t seen = s->n_w / out / (s->what == HST_DO_DENSE ? 1 : taps);
    const size_t groups = s->what == HST_DO_DEPTHWISE ? out : s->groups ? (size_t)s->groups : 1;
    int rc = 0;
    for (size_t c = 0; rc == 0 && c < out; c++) {
        const float scale = hst_int8_scale(s->w + c, s->n_w / out, out);
        const double shift = hst_int8_shift(s->w + c, s->n_w / out, out, scale,
                                            mean + c * groups / out * seen, seen);
        const float bias = (float)((double)s->b[c] - shift);
        rc = write_floats(b, &bias, 1, err);
    }
    return rc;
}

static int write_wide(bytes_out *b, const hst_program *p, const hst_c_places *at, hst_err *err)
{
    int rc = 0;
    begin_bytes(b, "weights", at->n_weights * sizeof(float), "float", sizeof(float));
    for (int i = 0; rc == 0 && i < p->n; i++) {
        const hst_do_step *s = &p->step[i];
        if (!hst_c_is_narrow(s, at->kept))
            rc = write_floats(b, s->w, s->n_w, err);
        else if (at->kept == HST_WEIGHTS_INT8)
            rc = write_scales(b, s, err);
        rc = rc ? rc : write_bias(b, p, at, i, err);
    }
    return rc ? rc : end_bytes(b, err);
}

static int write_steps(bytes_out *b, const hst_do_step *s, hst_err *err)
{
    const size_t channels = (size_t)hst_do_channels(s);
    int8_t *made = hst_alloc_raw(s->n_w, sizeof *made, err);
    for (size_t c = 0; made && c < channels; c++) {
        const float scale = hst_int8_scale(s->w + c, s->n_w / channels, channels);
        for (size_t i = c; i < s->n_w; i += channels)
            made[i] = hst_int8_of(s->w[i], scale);
    }
    int rc = made ? write_bytes(b, (const unsigned char *)made, s->n_w, err) : HST_EMEM;
    free(made);
    return rc;
}

static int write_halves(bytes_out *b, const hst_do_step *s, hst_err *err)
{
    float *made = hst_alloc_raw(s->n_w, sizeof *made, err);
    int rc = made ? hst_halves(s->w, s->n_w, (size_t)hst_do_channels(s), made, err) : HST_EMEM;
    unsigned char *bytes = (unsigned char *)made; /* its first half, behind what is read */
    for (size_t i = 0; rc == 0 && i < s->n_w; i++) {
        const uint16_t half = hst_half_of(made[i]);
        memcpy(bytes + i * sizeof half, &half, sizeof half);
    }
    rc = rc ? rc : write_bytes(b, bytes, s->n_w * sizeof(uint16_t), err);
    free(made);
    return rc;
}

static int write_narrow(bytes_out *b, const hst_program *p, const hst_c_places *at, hst_err *err)
{
    const int int8 = at->kept == HST_WEIGHTS_INT8;
    int rc = 0;
    begin_bytes(b, "narrow", at->n_narrow * (int8 ? 1 : 2), int8 ? "int8_t" : "uint16_t",
                int8 ? 1 : 2);
    for (int i = 0; rc == 0 && i < p->n; i++)
        if (hst_c_is_narrow(&p->step[i], at->kept))
            rc = int8 ? write_steps(b, &p->step[i], err) : write_halves(b, &p->step[i], err);
    return rc ? rc : end_bytes(b, err);
}

static int write_weights(hst_out *o, const hst_program *p, const hst_c_places *at, hst_err *err)
{
    bytes_out *b = hst_alloc(1, sizeof *b, err);
    if (!b)
        return HST_EMEM;
    b->o = o;
    spell(b->spelled);
    put_text(b, "/* The weights: little endian IEEE 754 numbers, as bytes. */\n"
                "#if defined __BYTE_ORDER__ && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__\n"
                "#error \"the weights are written for a little endian processor\"\n#endif\n");
    int rc = write_wide(b, p, at, err);
    if (rc == 0 && at->n_narrow)
        rc = write_narrow(b, p, at, err);
    free(b);
    return rc;
}

/* ---- files ---- */

static int write_text(const hst_exporting *x, const char *name, const hst_buf *text, hst_err *err)
{
    char *path = hst_path_join(x->path, name, err);
    int rc = path ? hst_buf_check(text, err) : HST_EMEM;
    rc = rc ? rc : hst_file_write(path, text->p, text->n, err);
    free(path);
    return rc;
}

static void need_preparation(const hst_exporting *x, char *needed)
{
    const hst_prep *p = prep_of(x);
    hst_c_need(needed, "activate");
    hst_c_need(needed, hst_prep_crops(p)        ? "crop"
                       : p->geometry == HST_PAD ? "letterbox"
                                                : "squash");
    hst_c_need(needed, p->resampler == HST_RESAMPLE_TF ? "resize_tf" : "resize_pil");
    hst_c_need(needed, "predict");
}

/* Pieces in an order in which each comes behind what it needs. */
static void put_pieces(hst_buf *b, const char *needed, const char *const *names)
{
    for (int k = 0; names[k]; k++)
        for (int i = 0; hst_c_pieces[i][0]; i++)
            if (needed[i] && strcmp(hst_c_pieces[i][0], names[k]) == 0)
                hst_buf_printf(b, "%s\n", hst_c_pieces[i][1]);
}

static void put_code(hst_buf *b, const hst_exporting *x, const hst_c_places *at,
                     const hst_buf *steps, const char *needed)
{
    static const char *const before[] = {"activate",
                                         "narrow_float16",
                                         "narrow_int8",
                                         "window",
                                         "conv",
                                         "depthwise",
                                         "dense",
                                         "max_pool",
                                         "average_pool",
                                         "slice",
                                         "turn",
                                         "pad",
                                         "affine",
                                         "add",
                                         "multiply",
                                         "alone",
                                         "mean",
                                         "layer_norm",
                                         "group_norm",
                                         "softmax",
                                         "attention",
                                         "concat",
                                         NULL};
    static const char *const behind[] = {"squash",    "crop",    "letterbox", "resize_pil",
                                         "resize_tf", "predict", NULL};
    put_pieces(b, needed, before);
    hst_buf_printf(b,
                   "static void network(float *prob)\n{\n    const float *const W = weights.n;\n"
                   "%s    float *const A = arena.f;\n%s"
                   "    memcpy(prob, A + %zu, MODEL_CLASSES * sizeof *prob);\n}\n\n",
                   !at->n_narrow                  ? ""
                   : at->kept == HST_WEIGHTS_INT8 ? "    const int8_t *const N = narrow.n;\n"
                                                  : "    const uint16_t *const N = narrow.n;\n",
                   steps->p ? steps->p : "", at->value[x->program->n - 1]);
    put_pieces(b, needed, behind);
}

static int write_source(const hst_exporting *x, const hst_c_places *at, const hst_buf *front,
                        const hst_buf *code, hst_err *err)
{
    hst_out *o = NULL;
    char *path = hst_path_join(x->path, "model.c", err);
    int rc = path ? hst_buf_check(front, err) : HST_EMEM;
    rc = rc ? rc : hst_buf_check(code, err);
    rc = rc ? rc : hst_out_open(&o, path, err);
    rc = rc ? rc : hst_out_write(o, front->p, front->n, err);
    rc = rc ? rc : write_weights(o, x->program, at, err);
    rc = rc ? rc : hst_out_write(o, code->p, code->n, err);
    rc = rc ? rc : hst_out_commit(o, err);
    hst_out_close(o);
    free(path);
    return rc;
}

static int write_files(const hst_exporting *x, hst_err *err)
{
    hst_buf header = HST_BUF(MOST_TEXT), front = HST_BUF(MOST_TEXT), code = HST_BUF(MOST_TEXT);
    hst_buf steps = HST_BUF(MOST_TEXT);
    hst_c_places at = {0};
    char needed[64] = {0}; /* there are fewer pieces */
    int rc = hst_c_places_make(x->program, x->weights, &at, err);
    at.range = x->range;
    rc = rc ? rc : hst_c_steps(x->program, &at, &steps, needed, err);
    rc = rc ? rc : put_constants(&front, x, &at, err);
    if (rc == 0) {
        need_preparation(x, needed);
        if (at.n_narrow)
            hst_c_need(needed, x->weights == HST_WEIGHTS_INT8 ? "narrow_int8" : "narrow_float16");
        put_header(&header, x, &at);
        put_code(&code, x, &at, &steps, needed);
    }
    rc = rc ? rc : write_text(x, "model.h", &header, err);
    rc = rc ? rc : write_source(x, &at, &front, &code, err);
    hst_c_places_free(&at);
    hst_buf_free(&steps);
    hst_buf_free(&code);
    hst_buf_free(&front);
    hst_buf_free(&header);
    return rc;
}

const hst_exporter hst_exporter_c = {.name = "c",
                                     .suffix = "-c",
                                     .summary = "C99: model.c and model.h for any compiler",
                                     .is_folder = 1,
                                     .tolerance = 1e-4,
                                     .usual = {.uint8 = 1, .batch = 1},
                                     .can = {.logits = 1},
                                     .weights = 1 << HST_WEIGHTS_FLOAT16 | 1 << HST_WEIGHTS_INT8,
                                     .calibrates = 1,
                                     .write = write_files,
                                     .ask = hst_c_ask,
                                     .run = hst_c_run};

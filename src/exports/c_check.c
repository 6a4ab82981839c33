/* c_check.c - does a model in C give the model's answers? Of the file that is kept the weights are
 * read by our own reader, as a compiler reads strings, and all else is compiled around them: a
 * compiler takes most of its time for the strings. With --check it is compiled as it is. */
#include "exports/c_source.h"

#include "base/executor.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ARRAYS = 2, MOST_CODE = 1 << 26, LIMIT_S = 600 };
static const size_t most_source = (size_t)1 << 33;

/* ---- the file that is kept ---- */

/* "static const union {...} weights = {{"...", "..."}};" */
typedef struct array {
    const char *begin, *name, *open, *rows, *end; /* of the definition, its name, " = ", ... */
} array;

typedef struct source {
    char *text;
    size_t n;
    array array[MOST_ARRAYS];
    int arrays;
    const char *numbers; /* path of a file for what the strings say */
} source;

static const char constant[] = "static const union {\n";

static int find_arrays(source *s, hst_err *err)
{
    static const char open[] = " = {{\n", close[] = "\"}};\n";
    const char *p = s->text;
    for (; (p = strstr(p, constant)) != NULL; s->arrays++) {
        array *a = &s->array[s->arrays];
        const char *to = s->arrays < MOST_ARRAYS ? strstr(p, open) : NULL;
        const char *end = to ? strstr(to, close) : NULL;
        if (!end)
            return hst_fail(err, HST_EMODEL, "what was written has no end of its weights");
        *a = (array){.begin = p, .open = to, .rows = to + strlen(open), .end = end + strlen(close)};
        for (a->name = to; a->name[-1] != ' ';)
            a->name--;
        p = a->end;
    }
    return s->arrays ? 0 : hst_fail(err, HST_EMODEL, "what was written has no weights");
}

/* A byte as C99 reads it; -1: what is none, or could be read in two ways. */
static int read_byte(const char **p)
{
    const char *s = *p;
    int v = (unsigned char)*s++;
    if (v == '\\') {
        const char *first = s;
        for (v = 0; s < first + 3 && *s >= '0' && *s <= '7'; s++)
            v = 8 * v + (*s - '0');
        v = s == first || v > 255 ? -1 : v;
    } else if (v < ' ' || v > '~' || v == '?') { /* '?': of trigraphs */
        v = -1;
    }
    *p = s;
    return v;
}

/* Strings side by side, which are one row. Returns what is behind them; NULL: they are none. */
static const char *read_row(const char *p, unsigned char row[HST_C_ROW_BYTES])
{
    size_t n = 0;
    if (*p != '"')
        return NULL;
    while (*p == '"') {
        for (p++; *p != '"';) {
            const int v = n < HST_C_ROW_BYTES ? read_byte(&p) : -1;
            if (v < 0)
                return NULL;
            row[n++] = (unsigned char)v;
        }
        p++;
        p += *p == '\n';
    }
    return p;
}

static int read_rows(const array *a, hst_out *o, hst_err *err)
{
    unsigned char row[HST_C_ROW_BYTES];
    int rc = 0;
    for (const char *p = a->rows; rc == 0;) {
        memset(row, 0, sizeof row); /* C fills what is not there with zeros */
        p = read_row(p, row);
        const int last = p && p + strlen("}};\n") == a->end;
        if (!p || (!last && *p != ','))
            return hst_fail(err, HST_EMODEL, "what was written has weights that are no strings");
        rc = hst_out_write(o, row, sizeof row, err);
        if (last)
            break;
        p += 1 + (p[1] == '\n');
    }
    return rc;
}

/* In the background. */
static int read_arrays(void *arg, size_t item, int thread, hst_err *err)
{
    const source *s = arg;
    hst_out *o = NULL;
    int rc = hst_out_open(&o, s->numbers, err);
    (void)item;
    (void)thread;
    for (int i = 0; rc == 0 && i < s->arrays; i++)
        rc = read_rows(&s->array[i], o, err);
    rc = rc ? rc : hst_out_commit(o, err);
    hst_out_close(o);
    return rc;
}

/* ---- the program that asks ---- */

/* main(pictures, answers, numbers, processes). */
static const char asker[] =
    "#include <stdio.h>\n#include <stdlib.h>\n#include <sys/wait.h>\n#include <unistd.h>\n"
    "static int ask(char **word, long part, long parts)\n{\n"
    "    static uint8_t rgb[MODEL_WIDTH * MODEL_HEIGHT * 3];\n"
    "    float prob[MODEL_CLASSES];\n"
    "    FILE *in = fopen(word[1], \"rb\"), *out = fopen(word[2], \"r+b\");\n"
    "    for (long i = part; in && out; i += parts) {\n"
    "        if (fseek(in, i * (long)sizeof rgb, SEEK_SET) || fread(rgb, sizeof rgb, 1, in) != 1)\n"
    "            break;\n"
    "        if (model_predict_pixels(rgb, prob) ||\n"
    "            fseek(out, i * (long)sizeof prob, SEEK_SET) ||\n"
    "            fwrite(prob, sizeof prob, 1, out) != 1)\n"
    "            return 1;\n    }\n"
    "    return !in || !out || fclose(out);\n}\n"
    "int main(int n, char **word)\n{\n"
    "    FILE *f = n == 5 ? fopen(word[3], \"rb\") : NULL;\n"
    "    const long parts = n == 5 ? strtol(word[4], NULL, 10) : 0;\n"
    "    int bad = 0;\n"
    "    if (!f || LOAD || fgetc(f) != EOF)\n        return 1;\n"
    "    for (long part = 1; part < parts; part++)\n"
    "        if (fork() == 0)\n            return ask(word, part, parts);\n"
    "    bad = ask(word, 0, parts);\n"
    "    for (int status; wait(&status) > 0;)\n        bad |= status != 0;\n"
    "    return bad;\n}\n";

/* The file without its weights, which are read from another. */
static void put_around(hst_buf *b, const source *s)
{
    const char *from = s->text;
    /* Only its network is asked: of a static function that nobody calls no code is made. */
    hst_buf_puts(b, "#define model_predict static model_predict\n");
    for (int i = 0; i < s->arrays; i++) {
        const array *a = &s->array[i];
        const char *type = a->begin + strlen("static const ");
        hst_buf_add(b, from, (size_t)(a->begin - from));
        hst_buf_printf(b, "static %.*s;\n", (int)(a->open - type), type);
        from = a->end;
    }
    hst_buf_add(b, from, (size_t)(s->text + s->n - from));
    hst_buf_puts(b, "#define LOAD 0");
    for (int i = 0; i < s->arrays; i++) {
        const int n = (int)(s->array[i].open - s->array[i].name);
        const char *name = s->array[i].name;
        hst_buf_printf(b, " || fread(&%.*s, sizeof %.*s, 1, f) != 1", n, name, n, name);
    }
    hst_buf_puts(b, "\n");
}

/* ---- compiled and run ---- */

/* What a check works with; paths in x->work. */
typedef struct place {
    char *code, *program, *pictures, *answers, *numbers;
} place;

static void place_free(place *p)
{
    free(p->code);
    free(p->program);
    free(p->pictures);
    free(p->answers);
    free(p->numbers);
}

static int place_make(place *p, const hst_exporting *x, hst_err *err)
{
    p->code = hst_path_join(x->work, "ask.c", err);
    p->program = p->code ? hst_path_join(x->work, "ask", err) : NULL;
    p->pictures = p->program ? hst_path_join(x->work, "pictures", err) : NULL;
    p->answers = p->pictures ? hst_path_join(x->work, "answers", err) : NULL;
    p->numbers = p->answers ? hst_path_join(x->work, "numbers", err) : NULL;
    return p->numbers ? 0 : HST_EMEM;
}

/* The first are quickly compiled and make vectors of loops, but are not every compiler's. */
static const char *const options[][4] = {
    {"-O1", "-ftree-vectorize", "-fstrict-aliasing", "-march=native"},
    {"-O2", "-O2", "-O2", "-O2"}};

/* 1: it compiles; 0: there is no such compiler. more: another source, or NULL. */
static int compile(const hst_exporting *x, const char *compiler, const place *at, const char *more,
                   hst_err *err)
{
    hst_process_result r = {0};
    hst_err why = {0};
    for (int i = more ? 1 : 0; i < 2; i++) {
        const char *const *o = options[i];
        const char *const argv[] = {compiler,
                                    "-std=c99",
                                    "-D_POSIX_C_SOURCE=200809L",
                                    o[0],
                                    o[1],
                                    o[2],
                                    o[3],
                                    "-I",
                                    x->path,
                                    "-o",
                                    at->program,
                                    at->code,
                                    more ? more : "-lm",
                                    "-lm",
                                    NULL};
        const int rc = hst_process_run(x->ctx, "compile", argv, LIMIT_S, &r, &why);
        if (rc == HST_EPROC)
            return 0;
        if (rc)
            return hst_fail(err, rc, "%s", why.msg);
        if (r.exit_code == 0 && !r.timed_out)
            return 1;
    }
    return hst_fail(err, HST_EMODEL, "%s does not compile what was written: %s", compiler,
                    r.timed_out ? "it takes too long" : r.tail);
}

/* By the first compiler that is here. */
static int compile_by_any(const hst_exporting *x, const place *at, const char *more, char how[96],
                          hst_err *err)
{
    static const char *const compilers[] = {"cc", "gcc", "clang", NULL};
    int compiled = 0;
    for (int i = 0; !compiled && compilers[i]; i++) {
        compiled = compile(x, compilers[i], at, more, err);
        snprintf(how, 96, "%scompiled by %s and run", more ? "all of it " : "", compilers[i]);
    }
    if (!compiled)
        snprintf(how, 96, "there is no C compiler here (cc, gcc, clang)");
    return compiled;
}

static int run_program(const hst_exporting *x, const place *at, hst_probes *p, hst_err *err)
{
    const size_t want = (size_t)p->n * (size_t)p->classes * sizeof *p->found;
    const int threads = hst_executor_threads(x->ctx->executor);
    char processes[16];
    hst_process_result r = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    snprintf(processes, sizeof processes, "%d", threads < p->n ? threads : p->n);
    const char *const argv[] = {at->program, at->pictures, at->answers,
                                at->numbers, processes,    NULL};
    int rc = hst_process_run(x->ctx, "check", argv, LIMIT_S, &r, err);
    if (rc == 0 && (r.exit_code != 0 || r.timed_out))
        rc = hst_fail(err, HST_EMODEL, "what was written does not run: %s", r.tail);
    rc = rc ? rc : hst_file_read(at->answers, want, HST_EMODEL, &bytes, &n, err);
    if (rc == 0 && n != want)
        rc = hst_fail(err, HST_EMODEL, "what was written gives %zu bytes, expected %zu", n, want);
    if (rc == 0)
        memcpy(p->found, bytes, n);
    free(bytes);
    return rc;
}

/* So many pictures that the compiled loops, which are not fast, take some seconds at most; where
 * many are asked about, to measure, minutes. */
static int affordable(const hst_exporting *x, int n)
{
    enum { MANY = 16 };
    const double most_flops = n > MANY ? 2e11 : 2e10;
    const double flops = hst_graph_flops(hst_model_plain(x->model)->backbone->graph);
    const double many = most_flops / (flops > 1 ? flops : 1);
    return many < 2 ? 2 : many < n ? (int)many : n;
}

static int prepare(place *at, const hst_exporting *x, hst_probes *p, hst_err *err)
{
    p->n = affordable(x, p->n);
    const size_t bytes = (size_t)p->n * (size_t)p->height * (size_t)p->width * 3;
    int rc = place_make(at, x, err);
    rc = rc ? rc : hst_file_write(at->pictures, p->picture, bytes, err);
    return rc ? rc : hst_file_write(at->answers, "", 0, err);
}

static int write_asker(const place *at, hst_buf *front, hst_err *err)
{
    hst_buf_puts(front, asker);
    const int rc = hst_buf_check(front, err);
    return rc ? rc : hst_file_write(at->code, front->p, front->n, err);
}

static int read_source(const hst_exporting *x, source *s, hst_err *err)
{
    uint8_t *text = NULL;
    char *path = hst_path_join(x->path, "model.c", err);
    int rc = path ? hst_file_read(path, most_source, HST_EMODEL, &text, &s->n, err) : HST_EMEM;
    s->text = (char *)text;
    free(path);
    return rc ? rc : find_arrays(s, err);
}

int hst_c_ask(const hst_exporting *x, hst_probes *p, char how[96], hst_err *err)
{
    hst_buf code = HST_BUF(MOST_CODE);
    source s = {0};
    place at = {0};
    int compiled = 0, rc = prepare(&at, x, p, err);
    hst_async *reading = rc ? NULL : hst_async_new(x->ctx->executor, err);
    s.numbers = at.numbers;
    rc = rc ? rc : reading ? read_source(x, &s, err) : HST_EMEM;
    if (rc == 0) {
        put_around(&code, &s);
        rc = write_asker(&at, &code, err);
    }
    if (rc == 0) {
        hst_async_begin(reading, 1, read_arrays, &s);
        compiled = compile_by_any(x, &at, NULL, how, err);
        rc = compiled < 0 ? compiled : hst_async_end(reading, err);
    }
    if (rc == 0 && compiled)
        rc = run_program(x, &at, p, err);
    hst_async_free(reading);
    hst_buf_free(&code);
    place_free(&at);
    free(s.text);
    return rc ? rc : compiled;
}

int hst_c_run(const hst_exporting *x, hst_probes *p, char who[96], hst_err *err)
{
    hst_buf code = HST_BUF(MOST_CODE);
    place at = {0};
    char *whole = hst_path_join(x->path, "model.c", err);
    int compiled = 0, rc = whole ? prepare(&at, x, p, err) : HST_EMEM;
    hst_buf_puts(&code, "#include \"model.h\"\n#define LOAD 0\n");
    rc = rc ? rc : write_asker(&at, &code, err);
    rc = rc ? rc : hst_file_write(at.numbers, "", 0, err);
    if (rc == 0) {
        compiled = compile_by_any(x, &at, whole, who, err);
        rc = compiled < 0 ? compiled : compiled ? run_program(x, &at, p, err) : 0;
    }
    hst_buf_free(&code);
    place_free(&at);
    free(whole);
    return rc ? rc : compiled;
}

/* Pickles, one behind another, as instructions: protocol 2 and what is like it. */
#include "mutate.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_OPS = 8192 };

typedef struct op {
    size_t at, n;   /* with its argument */
    unsigned width; /* of the number behind it: a value, or the length of a text; or 0 */
    int text;
} op;

/* Lines behind an instruction. */
static size_t lines(const mutant *m, size_t at, int n)
{
    size_t from = at;
    for (; n > 0 && at < m->n; at++)
        n -= m->p[at] == '\n';
    return at - from;
}

static op read_op(const mutant *m, size_t at)
{
    static const char one[] = "Khq\x80U\x8a", two[] = "M", four[] = "JrjXTB\x8b";
    int c = m->p[at];
    op o = {.at = at, .n = 1};
    o.width = !c                      ? 0
              : strchr(one, (char)c)  ? 1
              : strchr(two, c)        ? 2
              : strchr(four, (char)c) ? 4
                                      : 0;
    o.text = c && strchr("UXTB\x8a\x8b", (char)c) != NULL;
    if (o.width > m->n - at - 1)
        o.width = 0;
    o.n += o.width + (o.text ? (size_t)mutate_get(m->p + at + 1, o.width) : 0);
    if (c == 'G')
        o.n += 8;
    if (c && strchr("ILFSVpgP", c))
        o.n += lines(m, at + 1, 1);
    if (c == 'c' || c == 'i')
        o.n += lines(m, at + 1, 2);
    if (o.n > m->n - at)
        o.n = m->n - at;
    return o;
}

/* Until the end of the last pickle: data follow in the older layout. */
static size_t read_ops(const mutant *m, op *ops)
{
    size_t n = 0;
    for (size_t at = 0; at < m->n && n < MAX_OPS; at += ops[n++].n) {
        if (n && m->p[ops[n - 1].at] == '.' && m->p[at] != 0x80)
            break;
        ops[n] = read_op(m, at);
    }
    return n;
}

static void change_argument(mutant *m, const op *o)
{
    uint8_t *p = m->p + o->at + 1;
    uint64_t was = mutate_get(p, o->width);
    if (o->text && mutate_below(m, 2)) { /* with its text */
        size_t cut = mutate_below(m, (size_t)was + 1);
        if (was <= o->n - 1 - o->width && mutate_splice(m, o->at + o->n - cut, cut, NULL, 0))
            mutate_put(p, o->width, was - cut);
        return;
    }
    mutate_put(p, o->width, mutate_number(m, was));
}

static void change_op(mutant *m, const op *ops, size_t n)
{
    static const char plain[] = "(.012N]a}e)stu\x85\x86\x87\x88\x89\x8fQRbod";
    const op *o = &ops[mutate_below(m, n)], *other = &ops[mutate_below(m, n)];
    uint8_t c = (uint8_t)plain[mutate_below(m, sizeof plain - 1)];
    switch (mutate_below(m, 8)) {
    case 0:
        (void)mutate_splice(m, o->at, o->n, NULL, 0);
        break;
    case 1:
        (void)mutate_splice(m, o->at, 0, m->p + other->at, other->n);
        break;
    case 2:
        (void)mutate_splice(m, o->at, o->n, m->p + other->at, other->n);
        break;
    case 3:
        (void)mutate_splice(m, o->at, 0, &c, 1);
        break;
    case 4:
        if (o->n == 1)
            m->p[o->at] = c;
        break;
    default: /* the next with an argument */
        while (o < ops + n && !o->width)
            o++;
        if (o < ops + n)
            change_argument(m, o);
    }
}

void mutate_pickle(mutant *m)
{
    op *ops = calloc(MAX_OPS, sizeof *ops);
    if (!ops)
        abort();
    size_t n = read_ops(m, ops);
    if (n)
        change_op(m, ops, n);
    free(ops);
}

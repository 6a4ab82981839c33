/* JSON: values and members. Where the text is no JSON any more, nothing. */
#include "mutate.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 4096, MAX_DEPTH = 64 };

typedef struct value {
    size_t item, at, end; /* item: of its key where it has one */
} value;

typedef struct list {
    const uint8_t *p;
    size_t end;
    value v[MAX_VALUES];
    size_t n;
} list;

static size_t blanks(const list *l, size_t at)
{
    while (at < l->end && strchr(" \t\r\n", l->p[at]) && l->p[at])
        at++;
    return at;
}

static int is(const list *l, size_t at, char c)
{
    return at < l->end && l->p[at] == (uint8_t)c;
}

/* Behind the text at `at`, which begins with a quote; 0: it has no end. */
static size_t text(const list *l, size_t at)
{
    for (at++; at < l->end && l->p[at] != '"'; at++)
        at += l->p[at] == '\\';
    return at < l->end ? at + 1 : 0;
}

/* Behind the value at `at`; 0: there is none. */
static size_t parse(list *l, size_t item, size_t at, int depth)
{
    size_t me = l->n;
    at = blanks(l, at);
    if (at >= l->end || l->n == MAX_VALUES || depth == MAX_DEPTH)
        return 0;
    l->v[l->n++] = (value){item, at, 0};
    const int is_object = is(l, at, '{');
    if (is_object || is(l, at, '[')) {
        const char close = is_object ? '}' : ']';
        for (at = blanks(l, at + 1); !is(l, at, close); at = blanks(l, at + is(l, at, ','))) {
            size_t from = at;
            if (is_object) {
                at = is(l, at, '"') ? blanks(l, text(l, at)) : 0;
                if (!at || !is(l, at, ':'))
                    return 0;
                at++;
            }
            at = parse(l, from, at, depth + 1);
            if (!at)
                return 0;
            at = blanks(l, at);
            if (!is(l, at, ',') && !is(l, at, close))
                return 0;
        }
        at++;
    } else if (is(l, at, '"')) {
        at = text(l, at);
    } else {
        while (at < l->end && l->p[at] > ' ' && !strchr(",]}:\"[{", l->p[at]))
            at++;
    }
    if (at == l->v[me].at)
        return 0;
    l->v[me].end = at;
    return at;
}

static void put_other(mutant *m, const value *v)
{
    static const char *const others[] = {"0",
                                         "-1",
                                         "1",
                                         "-0",
                                         "2147483648",
                                         "4294967296",
                                         "9223372036854775808",
                                         "-9223372036854775809",
                                         "18446744073709551616",
                                         "1e308",
                                         "1e999",
                                         "-1e999",
                                         "1e-999",
                                         "0.5",
                                         "null",
                                         "true",
                                         "false",
                                         "\"\"",
                                         "\"0\"",
                                         "\"../x\"",
                                         "\"/etc/passwd\"",
                                         "\"\\u0000\"",
                                         "\"\\ud800\"",
                                         "\"float32\"",
                                         "\"F64\"",
                                         "\"uint8\"",
                                         "[]",
                                         "{}",
                                         "[[]]",
                                         "[0]",
                                         "[-1,3]",
                                         "[0,18446744073709551615]",
                                         "{\"a\":{\"a\":{\"a\":[]}}}",
                                         "NaN",
                                         "nul",
                                         "\"",
                                         "]"};
    const char *s = others[mutate_below(m, sizeof others / sizeof *others)];
    (void)mutate_splice(m, v->at, v->end - v->at, (const uint8_t *)s, strlen(s));
}

/* The number with another digit in front, behind or in place of its last. */
static void put_near(mutant *m, const value *v)
{
    uint8_t digit = (uint8_t)('0' + mutate_below(m, 10));
    if (m->p[v->at] < '0' || m->p[v->at] > '9')
        put_other(m, v);
    else if (mutate_below(m, 2))
        m->p[v->end - 1] = digit;
    else
        (void)mutate_splice(m, mutate_below(m, 2) ? v->at : v->end, 0, &digit, 1);
}

static void nest(mutant *m, const value *v)
{
    uint8_t deep[512];
    memset(deep, '[', sizeof deep);
    (void)mutate_splice(m, v->at, 0, deep, 1 + mutate_below(m, sizeof deep));
}

static void change(mutant *m, const list *l)
{
    const value *v = &l->v[mutate_below(m, l->n)], *other = &l->v[mutate_below(m, l->n)];
    size_t end = v->end;
    switch (mutate_below(m, 8)) {
    case 0: /* out, with one of its commas */
        if (is(l, end, ','))
            end++;
        else if (v->item && m->p[v->item - 1] == ',') {
            (void)mutate_splice(m, v->item - 1, end - v->item + 1, NULL, 0);
            break;
        }
        (void)mutate_splice(m, v->item, end - v->item, NULL, 0);
        break;
    case 1: /* twice: two members of one name */
        if (mutate_splice(m, end, 0, m->p + v->item, end - v->item))
            (void)mutate_splice(m, end, 0, (const uint8_t *)",", 1);
        break;
    case 2:
        (void)mutate_splice(m, v->at, end - v->at, m->p + other->at, other->end - other->at);
        break;
    case 3:
        if (v->item < v->at) /* another name */
            m->p[v->item + 1] ^= 1;
        break;
    case 4:
        if (mutate_below(m, 8) == 0)
            nest(m, v);
        else
            put_near(m, v);
        break;
    case 5:
        put_near(m, v);
        break;
    default:
        put_other(m, v);
    }
}

void mutate_json(mutant *m)
{
    list *l = malloc(sizeof *l);
    if (!l)
        abort();
    l->p = m->p;
    l->end = m->n;
    l->n = 0;
    if (parse(l, 0, 0, 0))
        change(m, l);
    else
        mutate_bytes(m);
    free(l);
}

void mutate_safetensors(mutant *m)
{
    uint64_t n = m->n < 8 ? 0 : mutate_get(m->p, 8);
    if (m->n < 8 || n > m->n - 8) {
        mutate_bytes(m);
        return;
    }
    n = mutate_part(m, 8, (size_t)n, mutate_json);
    if (mutate_below(m, 8))
        mutate_put(m->p, 8, n);
}

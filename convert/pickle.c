#include "pickle.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Real weight files have some ten thousand nodes and two thousand memo slots. */
enum { MAX_NODES = 1 << 20, MAX_STACK = 1 << 20, MAX_MEMO = 1 << 20, MAX_BYTES = 16 << 20 };

static const char *const globals[] = {
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch.nn.parameter.Parameter",
    "torch.Size",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.BFloat16Storage",
    "torch.DoubleStorage",
    "torch.LongStorage",
    "torch.IntStorage",
    "torch.ShortStorage",
    "torch.CharStorage",
    "torch.ByteStorage",
    "torch.BoolStorage",
};
enum { N_GLOBALS = sizeof globals / sizeof *globals };

typedef struct numbers { /* a stack, or the memo */
    uint32_t *v, n, cap;
} numbers;

typedef struct machine {
    pickle *p;
    const uint8_t *bytes;
    size_t n, at;
    numbers stack, marks, memo; /* memo: node number + 1; 0: never set */
    int stopped;
    hst_err *err;
} machine;

static int refuse(machine *m, const char *why)
{
    return hst_fail(m->err, HST_EMODEL, "the pickle is refused at byte %zu: %s", m->at, why);
}

/* ---- bytes, stack, nodes ---- */

/* n bytes of the program, or NULL at its end. */
static const uint8_t *take(machine *m, size_t n)
{
    if (n > m->n - m->at) {
        refuse(m, "it is cut off");
        return NULL;
    }
    m->at += n;
    return m->bytes + m->at - n;
}

/* A little-endian number of 1, 2 or 4 bytes. */
static int take_number(machine *m, size_t n_bytes, uint32_t *v)
{
    const uint8_t *s = take(m, n_bytes);
    if (!s)
        return HST_EMODEL;
    *v = 0;
    for (size_t i = 0; i < n_bytes; i++)
        *v |= (uint32_t)s[i] << 8 * i;
    return 0;
}

static int grow(uint32_t **v, uint32_t *cap, uint32_t need, hst_err *err)
{
    if (need <= *cap)
        return 0;
    uint32_t more = *cap ? *cap * 2 : 8;
    if (more < need)
        more = need;
    uint32_t *p = hst_resize(*v, more, sizeof *p, err);
    if (!p)
        return HST_EMEM;
    *v = p;
    *cap = more;
    return 0;
}

static int push(machine *m, uint32_t node)
{
    if (m->stack.n == MAX_STACK)
        return refuse(m, "the stack is too deep");
    int rc = grow(&m->stack.v, &m->stack.cap, m->stack.n + 1, m->err);
    if (rc == 0)
        m->stack.v[m->stack.n++] = node;
    return rc;
}

/* The lowest stack place that the topmost mark leaves free to pop. */
static uint32_t floor_of(const machine *m)
{
    return m->marks.n ? m->marks.v[m->marks.n - 1] : 0;
}

static int pop(machine *m, uint32_t *node)
{
    if (m->stack.n <= floor_of(m))
        return refuse(m, "the stack is empty");
    *node = m->stack.v[--m->stack.n];
    return 0;
}

/* A new node, on the stack. *node is valid until the next one is made. */
static int make(machine *m, enum pickle_kind kind, pickle_node **node)
{
    pickle *p = m->p;
    if (p->n == MAX_NODES)
        return refuse(m, "it has too many parts");
    if (p->n == p->cap) {
        uint32_t cap = p->cap ? p->cap * 2 : 256;
        pickle_node *more = hst_resize(p->node, cap, sizeof *more, m->err);
        if (!more)
            return HST_EMEM;
        p->node = more;
        p->cap = cap;
    }
    int rc = push(m, p->n);
    if (rc)
        return rc;
    p->node[p->n] = (pickle_node){.kind = kind};
    *node = &p->node[p->n++];
    return 0;
}

static int make_int(machine *m, enum pickle_kind kind, int64_t v)
{
    pickle_node *node = NULL;
    int rc = make(m, kind, &node);
    if (rc == 0)
        node->i = v;
    return rc;
}

static int make_bytes(machine *m, enum pickle_kind kind, size_t n)
{
    pickle_node *node = NULL;
    const uint8_t *s = take(m, n);
    int rc = s ? make(m, kind, &node) : HST_EMODEL;
    if (rc)
        return rc;
    node->s = s;
    node->n = (uint32_t)n;
    return 0;
}

static int append(machine *m, pickle_node *to, const uint32_t *items, uint32_t n)
{
    int rc = grow(&to->item, &to->cap, to->n + n, m->err);
    if (rc)
        return rc;
    if (n)
        memcpy(to->item + to->n, items, n * sizeof *items);
    to->n += n;
    return 0;
}

/* Takes what lies above the topmost mark off the stack: items[n], valid until the next push. */
static int pop_mark(machine *m, const uint32_t **items, uint32_t *n)
{
    if (!m->marks.n)
        return refuse(m, "no mark on the stack");
    uint32_t at = m->marks.v[--m->marks.n];
    *n = m->stack.n - at;
    *items = m->stack.n ? m->stack.v + at : NULL;
    m->stack.n = at;
    return 0;
}

/* ---- one function an opcode ---- */

static int op_proto(machine *m)
{
    uint32_t version = 0;
    int rc = take_number(m, 1, &version);
    if (rc == 0 && version > 2)
        return hst_fail(m->err, HST_EMODEL,
                        "the pickle is refused: protocol %u, weight files use 2", version);
    return rc;
}

static int op_stop(machine *m)
{
    int rc = pop(m, &m->p->root);
    if (rc == 0 && (m->stack.n || m->marks.n))
        rc = refuse(m, "it ends with more than one value");
    m->stopped = 1;
    return rc;
}

static int op_mark(machine *m)
{
    if (m->marks.n == MAX_STACK)
        return refuse(m, "the stack is too deep");
    int rc = grow(&m->marks.v, &m->marks.cap, m->marks.n + 1, m->err);
    if (rc == 0)
        m->marks.v[m->marks.n++] = m->stack.n;
    return rc;
}

static int op_none(machine *m)
{
    return make_int(m, PICKLE_NONE, 0);
}

static int op_true(machine *m)
{
    return make_int(m, PICKLE_BOOL, 1);
}

static int op_false(machine *m)
{
    return make_int(m, PICKLE_BOOL, 0);
}

static int op_int4(machine *m)
{
    uint32_t v = 0;
    int rc = take_number(m, 4, &v);
    return rc ? rc : make_int(m, PICKLE_INT, (int32_t)v);
}

static int op_int1(machine *m)
{
    uint32_t v = 0;
    int rc = take_number(m, 1, &v);
    return rc ? rc : make_int(m, PICKLE_INT, v);
}

static int op_int2(machine *m)
{
    uint32_t v = 0;
    int rc = take_number(m, 2, &v);
    return rc ? rc : make_int(m, PICKLE_INT, v);
}

static int op_long1(machine *m)
{
    uint32_t n = 0;
    int rc = take_number(m, 1, &n);
    if (rc || n > 8)
        return rc ? rc : make_bytes(m, PICKLE_LONG, n);
    const uint8_t *s = take(m, n);
    if (!s)
        return HST_EMODEL;
    uint64_t v = n && s[n - 1] & 0x80 ? UINT64_MAX : 0; /* two's complement */
    for (uint32_t i = n; i-- > 0;)
        v = v << 8 | s[i];
    return make_int(m, PICKLE_INT, (int64_t)v);
}

static int op_float(machine *m)
{
    pickle_node *node = NULL;
    const uint8_t *s = take(m, 8); /* the highest byte first */
    uint64_t bits = 0;
    int rc = s ? make(m, PICKLE_FLOAT, &node) : HST_EMODEL;
    for (int i = 0; rc == 0 && i < 8; i++)
        bits = bits << 8 | s[i];
    if (rc == 0)
        memcpy(&node->d, &bits, sizeof bits);
    return rc;
}

static int op_unicode(machine *m)
{
    uint32_t n = 0;
    int rc = take_number(m, 4, &n);
    return rc ? rc : make_bytes(m, PICKLE_STRING, n);
}

static int op_short_string(machine *m)
{
    uint32_t n = 0;
    int rc = take_number(m, 1, &n);
    return rc ? rc : make_bytes(m, PICKLE_STRING, n);
}

static int op_dict(machine *m)
{
    pickle_node *node = NULL;
    return make(m, PICKLE_DICT, &node);
}

static int op_list(machine *m)
{
    pickle_node *node = NULL;
    return make(m, PICKLE_LIST, &node);
}

static int op_set(machine *m)
{
    pickle_node *node = NULL;
    return make(m, PICKLE_SET, &node);
}

/* A node with the n topmost values as its items. */
static int make_of(machine *m, enum pickle_kind kind, uint32_t n)
{
    uint32_t items[3] = {0};
    pickle_node *node = NULL;
    int rc = 0;
    for (uint32_t i = n; i-- > 0 && rc == 0;)
        rc = pop(m, &items[i]);
    rc = rc ? rc : make(m, kind, &node);
    return rc ? rc : append(m, node, items, n);
}

static int op_tuple0(machine *m)
{
    return make_of(m, PICKLE_TUPLE, 0);
}

static int op_tuple1(machine *m)
{
    return make_of(m, PICKLE_TUPLE, 1);
}

static int op_tuple2(machine *m)
{
    return make_of(m, PICKLE_TUPLE, 2);
}

static int op_tuple3(machine *m)
{
    return make_of(m, PICKLE_TUPLE, 3);
}

static int op_tuple(machine *m)
{
    const uint32_t *items = NULL;
    uint32_t n = 0, number = m->p->n;
    pickle_node *node = NULL;
    int rc = pop_mark(m, &items, &n);
    if (rc)
        return rc;
    /* making a node pushes it, over the first item: the items are taken before */
    uint32_t *copy = hst_alloc(n, sizeof *copy, m->err);
    if (!copy)
        return HST_EMEM;
    if (n)
        memcpy(copy, items, n * sizeof *copy);
    rc = make(m, PICKLE_TUPLE, &node);
    rc = rc ? rc : append(m, &m->p->node[number], copy, n);
    free(copy);
    return rc;
}

/* Adds n values to the container on top of the stack. */
static int add_to_top(machine *m, enum pickle_kind kind, const uint32_t *items, uint32_t n)
{
    if (m->stack.n <= floor_of(m))
        return refuse(m, "the stack is empty");
    pickle_node *to = &m->p->node[m->stack.v[m->stack.n - 1]];
    if (to->kind != kind || (kind == PICKLE_DICT && n % 2))
        return refuse(m, "items for something that takes none");
    return append(m, to, items, n);
}

static int op_append(machine *m)
{
    uint32_t item = 0;
    int rc = pop(m, &item);
    return rc ? rc : add_to_top(m, PICKLE_LIST, &item, 1);
}

static int op_setitem(machine *m)
{
    uint32_t pair[2] = {0};
    int rc = pop(m, &pair[1]);
    rc = rc ? rc : pop(m, &pair[0]);
    return rc ? rc : add_to_top(m, PICKLE_DICT, pair, 2);
}

static int op_appends(machine *m)
{
    const uint32_t *items = NULL;
    uint32_t n = 0;
    int rc = pop_mark(m, &items, &n);
    return rc ? rc : add_to_top(m, PICKLE_LIST, items, n);
}

static int op_setitems(machine *m)
{
    const uint32_t *items = NULL;
    uint32_t n = 0;
    int rc = pop_mark(m, &items, &n);
    return rc ? rc : add_to_top(m, PICKLE_DICT, items, n);
}

static int put(machine *m, uint32_t slot)
{
    if (slot >= MAX_MEMO)
        return refuse(m, "a memo slot out of range");
    if (m->stack.n <= floor_of(m))
        return refuse(m, "the stack is empty");
    if (slot >= m->memo.n) {
        int rc = grow(&m->memo.v, &m->memo.cap, slot + 1, m->err);
        if (rc)
            return rc;
        memset(m->memo.v + m->memo.n, 0, (slot + 1 - m->memo.n) * sizeof *m->memo.v);
        m->memo.n = slot + 1;
    }
    m->memo.v[slot] = m->stack.v[m->stack.n - 1] + 1;
    return 0;
}

static int get(machine *m, uint32_t slot)
{
    if (slot >= m->memo.n || !m->memo.v[slot])
        return refuse(m, "a memo slot that was never set");
    return push(m, m->memo.v[slot] - 1);
}

static int op_put1(machine *m)
{
    uint32_t slot = 0;
    int rc = take_number(m, 1, &slot);
    return rc ? rc : put(m, slot);
}

static int op_put4(machine *m)
{
    uint32_t slot = 0;
    int rc = take_number(m, 4, &slot);
    return rc ? rc : put(m, slot);
}

static int op_get1(machine *m)
{
    uint32_t slot = 0;
    int rc = take_number(m, 1, &slot);
    return rc ? rc : get(m, slot);
}

static int op_get4(machine *m)
{
    uint32_t slot = 0;
    int rc = take_number(m, 4, &slot);
    return rc ? rc : get(m, slot);
}

/* The text up to the next line end; its length, or -1. */
static int take_line(machine *m, const char **text)
{
    const uint8_t *s = m->bytes + m->at, *end = memchr(s, '\n', m->n - m->at);
    if (!end || end - s > 200)
        return -1;
    *text = (const char *)s;
    m->at += (size_t)(end - s) + 1;
    return (int)(end - s);
}

static int op_global(machine *m)
{
    const char *module, *name;
    char full[512];
    int n_module = take_line(m, &module), n_name = n_module < 0 ? -1 : take_line(m, &name);
    if (n_name < 0)
        return refuse(m, "the name of a global is cut off or too long");
    memcpy(full, module, (size_t)n_module);
    full[n_module] = '.';
    memcpy(full + n_module + 1, name, (size_t)n_name);
    full[n_module + 1 + n_name] = 0;
    for (int i = 0; i < N_GLOBALS; i++)
        if (strlen(globals[i]) == (size_t)(n_module + 1 + n_name) && !strcmp(globals[i], full))
            return make_int(m, PICKLE_GLOBAL, i);
    return hst_fail(m->err, HST_EMODEL,
                    "the pickle is refused: it asks for Python's '%.200s', which weights do not "
                    "need (nothing was run; save the state_dict instead of the whole model)",
                    full);
}

/* A call that never happens. What would have become a dictionary becomes an empty one. */
static int op_reduce(machine *m)
{
    uint32_t pair[2] = {0};
    pickle_node *node = NULL;
    int rc = pop(m, &pair[1]);
    rc = rc ? rc : pop(m, &pair[0]);
    if (rc)
        return rc;
    const pickle_node *callee = &m->p->node[pair[0]], *args = &m->p->node[pair[1]];
    if (callee->kind != PICKLE_GLOBAL || args->kind != PICKLE_TUPLE)
        return refuse(m, "a call of something that is no known name");
    if (pickle_is_global(callee, "collections.OrderedDict"))
        return args->n ? refuse(m, "a dictionary made from arguments") : op_dict(m);
    rc = make(m, PICKLE_CALL, &node);
    return rc ? rc : append(m, node, pair, 2);
}

/* The state of an object: its attributes. */
static int op_build(machine *m)
{
    uint32_t state = 0;
    int rc = pop(m, &state);
    if (rc == 0 && m->stack.n <= floor_of(m))
        return refuse(m, "the stack is empty");
    if (rc == 0) {
        m->p->built = m->stack.v[m->stack.n - 1];
        m->p->state = state;
    }
    return rc;
}

static int op_stored(machine *m)
{
    return make_of(m, PICKLE_STORED, 1);
}

typedef int op_fn(machine *m);
static op_fn *const ops[256] = {
    [0x80] = op_proto,   ['.'] = op_stop,         ['('] = op_mark,    ['N'] = op_none,
    [0x88] = op_true,    [0x89] = op_false,       ['J'] = op_int4,    ['K'] = op_int1,
    ['M'] = op_int2,     [0x8a] = op_long1,       ['G'] = op_float,   ['X'] = op_unicode,
    ['}'] = op_dict,     ['U'] = op_short_string, [']'] = op_list,    [0x8f] = op_set,
    [')'] = op_tuple0,   [0x85] = op_tuple1,      [0x86] = op_tuple2, [0x87] = op_tuple3,
    ['t'] = op_tuple,    ['a'] = op_append,       ['e'] = op_appends, ['s'] = op_setitem,
    ['u'] = op_setitems, ['q'] = op_put1,         ['r'] = op_put4,    ['h'] = op_get1,
    ['j'] = op_get4,     ['c'] = op_global,       ['R'] = op_reduce,  [0x81] = op_reduce,
    ['b'] = op_build,    ['Q'] = op_stored,
};

int pickle_load(pickle *p, const uint8_t *bytes, size_t n, size_t *used, hst_err *err)
{
    machine m = {.p = p, .bytes = bytes, .n = n < MAX_BYTES ? n : MAX_BYTES, .err = err};
    int rc = 0;
    *p = (pickle){0};
    while (rc == 0 && !m.stopped) {
        const uint8_t *op = take(&m, 1);
        if (!op)
            rc = HST_EMODEL;
        else if (!ops[*op])
            rc = hst_fail(err, HST_EMODEL,
                          "the pickle is refused at byte %zu: opcode 0x%02x, which weight files do "
                          "not use",
                          m.at - 1, *op);
        else
            rc = ops[*op](&m);
    }
    *used = m.at;
    free(m.stack.v);
    free(m.marks.v);
    free(m.memo.v);
    return rc;
}

void pickle_free(pickle *p)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (p->node[i].kind >= PICKLE_TUPLE && p->node[i].kind != PICKLE_GLOBAL)
            free(p->node[i].item);
    free(p->node);
    *p = (pickle){0};
}

const pickle_node *pickle_item(const pickle *p, const pickle_node *of, uint32_t j)
{
    return &p->node[of->item[j]];
}

const pickle_node *pickle_member(const pickle *p, const pickle_node *dict, const char *key)
{
    for (uint32_t i = 0; i + 1 < dict->n; i += 2)
        if (pickle_is(pickle_item(p, dict, i), key))
            return pickle_item(p, dict, i + 1);
    return NULL;
}

const pickle_node *pickle_attribute(const pickle *p, const char *name)
{
    const pickle_node *state = p->n && p->built == p->root ? &p->node[p->state] : NULL;
    return state && state->kind == PICKLE_DICT ? pickle_member(p, state, name) : NULL;
}

int pickle_is(const pickle_node *node, const char *text)
{
    size_t n = strlen(text);
    return node->kind == PICKLE_STRING && node->n == n && memcmp(node->s, text, n) == 0;
}

const char *pickle_global_name(const pickle_node *node)
{
    return globals[node->i];
}

int pickle_is_global(const pickle_node *node, const char *name)
{
    return node->kind == PICKLE_GLOBAL && strcmp(pickle_global_name(node), name) == 0;
}

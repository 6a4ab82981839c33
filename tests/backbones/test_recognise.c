/* A file of every family in the names of each of its dialects is taken for that family: many share
 * their names, and a deeper one holds all layers of a shallower one. */
#include "support.h"

#include "backbones/cnn.h"
#include "backbones/recognise.h"
#include "formats/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Larger networks have widths of their own, which no other is taken for. */
enum { MAX_TENSORS = 2000, MAX_BYTES = 80 << 20 };

/* The tensors of a file, of one byte a number. */
typedef struct file {
    hst_tensor tensor[MAX_TENSORS];
    char name[MAX_TENSORS][HST_MAX_FILE_NAME];
    size_t n, bytes;
} file;

static const hst_tensors *nothing(void)
{
    static hst_tensors *empty;
    static const uint8_t bytes[10] = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    hst_err err = {0};
    if (!empty)
        empty = hst_tensors_parse(bytes, sizeof bytes, &err);
    check_ok(empty == NULL, &err);
    return empty;
}

static int is_told(const file *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->name[i], name) == 0)
            return 1;
    return 0;
}

/* The tensor that parameter p was made of. */
static void add(file *f, const hst_param_map *m, const hst_param *p)
{
    if (!*m->theirs || is_told(f, m->theirs))
        return;
    assert_true(f->n < MAX_TENSORS);
    hst_tensor *t = &f->tensor[f->n];
    *t = (hst_tensor){.name = f->name[f->n], .dtype = HST_U8, .n_dims = p->n_dims, .n_bytes = 1};
    snprintf(f->name[f->n++], sizeof *f->name, "%s", m->theirs);
    for (int d = 0; d < p->n_dims; d++) {
        t->dim[m->permutes ? m->order[d] : d] = p->dim[d];
        t->n_bytes *= (size_t)p->dim[d];
    }
    f->bytes += t->n_bytes;
}

static hst_tensors *read_back(const file *f)
{
    hst_err err = {0};
    hst_buf head = HST_BUF(1 << 22);
    check_ok(hst_tensors_head(f->tensor, f->n, NULL, 0, &head, &err), &err);
    uint8_t *bytes = calloc(head.n + f->bytes, 1);
    memcpy(bytes, head.p, head.n);
    hst_tensors *t = hst_tensors_parse(bytes, head.n + f->bytes, &err);
    check_ok(t == NULL, &err);
    hst_buf_free(&head);
    free(bytes);
    return t;
}

static hst_tensors *file_of(const hst_origin *o, file *f)
{
    hst_err err = {0};
    hst_arch a = {.size = hst_size_square(o->family->px), .norm = o->dialect->norm};
    hst_param_maps maps = {0};
    snprintf(a.family, sizeof a.family, "%s", o->family->name);
    o->family->kind->usual(o, &a);
    hst_graph *g = hst_arch_graph(&a, &err);
    check_ok(g == NULL, &err);
    check_ok(o->family->kind->map(&a, o, nothing(), &maps, &err), &err);
    f->n = f->bytes = 0;
    for (size_t i = 0; i < maps.n; i++)
        add(f, &maps.map[i], hst_graph_find(g, maps.map[i].ours));
    const hst_param one = {.n_dims = 1, .dim = {1}};
    hst_param_map marker = {.theirs = ""}; /* it may be of no use but to tell the dialect */
    snprintf(marker.theirs, sizeof marker.theirs, "%s", o->dialect->marker);
    add(f, &marker, &one);
    hst_param_maps_free(&maps);
    hst_graph_free(g);
    return f->bytes <= MAX_BYTES ? read_back(f) : NULL;
}

static void check(const hst_family *family, const hst_dialect *dialect, file *f)
{
    hst_err err = {0};
    hst_origin as = {.family = family, .dialect = dialect}, found = {0};
    hst_arch a;
    hst_tensors *t = file_of(&as, f);
    if (!t)
        return;
    check_ok(hst_recognise(t, &found, &a, &err), &err);
    if (found.family != family || strcmp(found.dialect->name, dialect->name) != 0 || !found.fits)
        fail_msg("%s (%s) is taken for %s (%s)", family->name, dialect->name, found.family->name,
                 found.dialect->name);
    hst_tensors_free(t);
}

/* What only numbers its convolutions brings its graph: test_graphs.c. */
static void every_family_is_taken_for_itself(void **state)
{
    (void)state;
    file *f = calloc(1, sizeof *f);
    const hst_family *family;
    for (size_t i = 0; (family = hst_family_at(i)); i++)
        for (size_t d = 0; family->kind == &hst_cnn && d < family->n_dialects; d++)
            if (family->dialects[d].body != hst_numbered_body)
                check(family, &family->dialects[d], f);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_is_taken_for_itself),
    };
    return cmocka_run_group_tests_name("recognise", tests, NULL, NULL);
}

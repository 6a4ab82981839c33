/* Parameters by the names of every dialect that is written: read as anybody's file would be, they
 * are the same numbers again. */
#include "made_up.h"
#include "support.h"

#include "backbones/named.h"
#include "backbones/recognise.h"
#include "backbones/vit.h"
#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const dialects[] = {"timm", "timm, keys with a bias", "torchvision",
                                       "torchvision or timm", "Hugging Face"};

/* A small network of the family. */
static hst_arch arch_of(const hst_family *f, const hst_dialect *d)
{
    const hst_origin o = {.family = f, .dialect = d};
    const hst_vit_family *own = f->own;
    const int is_dinov2 = !strcmp(f->name, "dinov2"), is_dinov3 = !strcmp(f->name, "dinov3");
    const int is_siglip = !strcmp(f->name, "siglip"), is_pe = !strcmp(f->name, "pe");
    hst_arch a = {.size = hst_size_square(f->px), .norm = d->norm};
    snprintf(a.family, sizeof a.family, "%s", f->name);
    f->kind->usual(&o, &a);
    if (f->kind != &hst_vit)
        return a;
    a.size = hst_size_square(is_dinov2 ? 56 : 64);
    a.vit.no_table = own->no_table;
    a.vit.rotary.is = own->rotary;
    a.vit.rotary.way = own->way;
    a.vit.rotary.base = own->base;
    a.vit.rotary.learned = 4;
    a.vit.dim = 128;
    a.vit.depth = a.vit.heads = 2;
    a.vit.hidden = 512;
    a.vit.patch = is_dinov2 ? 14 : 16;
    a.vit.class_token = !is_siglip;
    a.vit.layer_scale = is_dinov2 || is_dinov3;
    a.vit.pre_norm = is_pe || !strcmp(f->name, "clip");
    a.vit.registers = a.vit.layer_scale ? 4 : 0;
    a.vit.attention_pool = is_siglip || is_pe;
    a.vit.pool = a.vit.attention_pool ? HST_VIT_MAP : HST_VIT_CLS;
    return a;
}

static hst_tensors *file_of(const hst_named *l)
{
    hst_err err = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "x.safetensors", &err);
    check_ok(hst_tensors_write(path, l->tensor, l->n, NULL, 0, &err), &err);
    hst_tensors *t = hst_tensors_read(path, &err);
    check_ok(t == NULL, &err);
    remove_tree(dir);
    free(path);
    free(dir);
    return t;
}

static void check_same(const hst_graph *a, const hst_graph *b, const char *what)
{
    for (size_t i = 0; i < hst_graph_n_params(a); i++) {
        const hst_param *x = hst_graph_param(a, i), *y = hst_graph_param(b, i);
        if (memcmp(x->data, y->data, hst_param_count(x) * sizeof(float)))
            fail_msg("%s: %s is another", what, x->name);
    }
}

/* timm's DINOv3 has no bias for keys. */
static void drop_key_bias(hst_graph *g, const hst_arch *a)
{
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        const size_t n = (size_t)a->vit.dim;
        if (strstr(p->name, "_qkv/bias"))
            memset(p->data + n, 0, n * sizeof *p->data);
    }
}

static void round_trip(const hst_family *f, const hst_dialect *d, hst_graph *g, const hst_arch *a)
{
    hst_err err = {0};
    hst_named list = {0};
    hst_origin o = {.family = f, .dialect = d, .prefix = "net.", .fits = 1};
    made_up_fill(g);
    if (strcmp(f->name, "dinov3") == 0 && strcmp(d->name, "timm") == 0)
        drop_key_bias(g, a);
    check_ok(hst_named_make(a, g, d->name, "net.", &list, &err), &err);
    hst_tensors *t = file_of(&list);
    hst_graph *again = hst_arch_graph(a, &err);
    check_ok(again == NULL, &err);
    check_ok(hst_weights_import(t, &o, a, again, &err), &err);
    check_same(g, again, f->name);
    hst_arch found = *a;
    hst_origin as = {0};
    check_ok(hst_recognise_as(t, a, &as, &err), &err);
    assert_ptr_equal(as.family, hst_family_find(found.family));
    hst_graph_free(again);
    hst_tensors_free(t);
    hst_named_free(&list);
}

/* Of several dialects of a name the first is written. */
static int is_later(const hst_family *f, const hst_dialect *d)
{
    for (const hst_dialect *o = f->dialects; o < d; o++)
        if (strcmp(o->name, d->name) == 0)
            return 1;
    return 0;
}

/* Large ones have no layers that the small ones of their kind have not. */
static void test_round_trip(void **state)
{
    enum { MOST = 9000000 };
    (void)state;
    hst_err err = {0};
    const hst_family *f;
    int done = 0;
    for (size_t i = 0; (f = hst_family_at(i)); i++)
        for (size_t k = 0; k < f->n_dialects * (sizeof dialects / sizeof *dialects); k++) {
            const hst_dialect *d = &f->dialects[k % f->n_dialects];
            if (strcmp(d->name, dialects[k / f->n_dialects]) != 0 || is_later(f, d))
                continue;
            const hst_arch a = arch_of(f, d);
            hst_graph *g = hst_arch_graph(&a, &err);
            check_ok(g == NULL, &err);
            size_t n = 0;
            for (size_t p = 0; p < hst_graph_n_params(g); p++)
                n += hst_param_count(hst_graph_param(g, p));
            if (n <= MOST) {
                round_trip(f, d, g, &a);
                done++;
            }
            hst_graph_free(g);
        }
    assert_true(done >= 30);
}

static void test_epsilon(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_named l = {0};
    const int64_t dim[1] = {2};
    float *gamma = hst_named_numbers(hst_named_add(&l, "bn.weight", HST_F32, 1, dim, &err));
    float *variance = hst_named_numbers(hst_named_add(&l, "bn.running_var", HST_F32, 1, dim, &err));
    gamma[0] = 3;
    gamma[1] = -1;
    variance[0] = 0.25f;
    hst_named_change_epsilon(&l, 1e-3, 1e-5);
    assert_float_equal(gamma[0], 3 * sqrt((0.25 + 1e-5) / (0.25 + 1e-3)), 1e-6);
    assert_float_equal(gamma[1], -0.1, 1e-6);
    hst_named_remove(&l, "bn.weight");
    assert_null(hst_named_find(&l, "bn.weight"));
    assert_int_equal(l.n, 1);
    hst_named_free(&l);
}

static void test_no_dialect(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_named l = {0};
    const hst_family *f = hst_family_find("hgnet_v2_b0");
    const hst_arch a = arch_of(f, f->dialects);
    hst_graph *g = hst_arch_graph(&a, &err);
    check_ok(g == NULL, &err);
    assert_int_equal(hst_named_make(&a, g, "torchvision", "", &l, &err), HST_EUNSUP);
    assert_non_null(strstr(err.msg, "no names of torchvision"));
    hst_named_free(&l);
    hst_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_epsilon),
                                       cmocka_unit_test(test_no_dialect)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* nn is open: an op that it has never heard of is planned, run, learned and written down like its
 * own; values inside a network can be asked for. ARCHITECTURE.md quotes the op as its example. */
#include "learn_plain.h"
#include "support.h"

#include "nn/infer/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- an op: blend, y = amount (x0 - x1) x2 + x1, three inputs of one shape ---- */

typedef struct HST_ATTRS blend {
    double amount;
} blend;
static const hst_attr blend_attrs[] = {{"amount", HST_ATTR_REAL, offsetof(blend, amount), NULL}};

static int blend_type(hst_node *n, const hst_type *in, hst_err *err)
{
    for (int i = 1; i < 3; i++)
        if (memcmp(&in[i], &in[0], sizeof in[0]) != 0)
            return hst_fail(err, HST_EMODEL, "cannot blend values of different shapes");
    n->type = in[0];
    return 0;
}

static double blend_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return 4.0 * (double)hst_shape_floats(*in);
}

/* x0, x1, x2, y [h][w][c] */
static void blend_infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const float amount = (float)((const blend *)(const void *)u->node.attrs)->amount;
    const hst_share rows = hst_share_of(a, u->out.h);
    const size_t row = hst_shape_row_floats(u->out);
    for (size_t i = (size_t)rows.first * row; i < (size_t)rows.end * row; i++)
        a->y[i] = amount * (a->x[0][i] - a->x[1][i]) * a->x[2][i] + a->x[1][i];
}

static void blend_backward(const hst_op_args *a)
{
    const float amount = (float)((const blend *)(const void *)a->node->attrs)->amount;
    for (size_t i = 0; i < hst_shape_floats(a->in[0]); i++) {
        const float g = a->dy[i] * amount, x2 = a->x[2][i];
        if (a->dx[0])
            a->dx[0][i] += g * x2;
        if (a->dx[1])
            a->dx[1][i] += a->dy[i] - g * x2;
        if (a->dx[2])
            a->dx[2][i] += g * (a->x[0][i] - a->x[1][i]);
    }
}

static const hst_op op_blend = {.name = "blend",
                                .n_inputs = 3,
                                .attrs = blend_attrs,
                                .n_attrs = 1,
                                .attr_bytes = sizeof(blend),
                                .infer_type = blend_type,
                                .flops = blend_flops,
                                .infer = blend_infer,
                                .backward = blend_backward,
                                .reads = HST_READS_INPUT};

/* ---- a graph with it: three convolutions of the input, blended, averaged ---- */

enum { PX = 6, C = 5, BLEND = 10, LAST = 11 };

static hst_graph *graph(void)
{
    hst_err e = {0};
    static const char *const names[] = {"a", "b", "c"}, *const norms[] = {"a_BN", "b_BN", "c_BN"};
    const hst_conv conv = {1, 1, C, HST_PAD_TF, 1};
    hst_graph *g = hst_graph_new(&e);
    int in = hst_graph_input(g, (hst_shape){PX, PX, 3}, &e), x[3];
    for (int i = 0; i < 3; i++) {
        x[i] = hst_graph_conv2d(g, in, &conv, names[i], &e);
        x[i] = hst_graph_batchnorm(g, x[i], 1e-3, norms[i], &e);
        x[i] = hst_graph_activation(g, x[i], HST_ACT_SWISH, &e);
    }
    int y = hst_graph_add_node(g, &op_blend, x, &(blend){0.75}, "", &e);
    assert_int_equal(y, BLEND);
    assert_int_equal(hst_graph_global_average(g, y, &e), LAST);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 3);
    return g;
}

static void its_nodes_can_be_walked(void **state)
{
    (void)state;
    hst_graph *g = graph();
    hst_attr_value v;
    size_t first;
    assert_string_equal(hst_graph_op_name(g, BLEND), "blend");
    assert_int_equal(hst_graph_n_inputs(g, BLEND), 3);
    assert_int_equal(hst_graph_input_of(g, BLEND, 1), 6);
    assert_int_equal(hst_graph_attr(g, BLEND, 0, &v), 1);
    assert_string_equal(v.name, "amount");
    assert_true(v.number == 0.75 && !v.word);
    assert_int_equal(hst_graph_attr(g, BLEND, 1, &v), 0);
    assert_int_equal(hst_graph_attr(g, 3, 0, &v), 1);
    assert_string_equal(v.word, "swish");
    assert_int_equal(hst_graph_attr(g, 4, 2, &v), 1);
    assert_string_equal(v.name, "padding");
    assert_string_equal(v.word, "same");
    assert_int_equal(hst_graph_node_params(g, 4, &first), 2);
    assert_string_equal(hst_graph_param(g, first)->name, "b/kernel");
    assert_int_equal(hst_graph_node_params(g, BLEND, &first), 0);
    assert_int_equal(hst_graph_type(g, LAST).n_dims, 1);
    assert_int_equal(hst_graph_type(g, BLEND).n_dims, 3);
    hst_err e = {0};
    hst_graph *other = hst_graph_new(&e);
    int x = hst_graph_input(other, (hst_shape){2, 2, 3}, &e);
    int mean = hst_graph_global_average(other, x, &e);
    assert_int_equal(hst_graph_add_node(other, &op_blend, (int[]){x, mean, x}, &(blend){1}, "", &e),
                     HST_EMODEL);
    assert_int_equal(hst_graph_add_node(other, &op_blend, (int[]){x, 7, x}, &(blend){1}, "", &e),
                     HST_EMODEL);
    hst_graph_free(other);
    hst_graph_free(g);
}

/* The graph's values one after another: the average and, in the middle, what is blended. */
static void its_values_can_be_asked_for(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = graph();
    const int wanted[] = {LAST, 3, BLEND, 6, 9}, twice[] = {3, 3}, none[] = {LAST + 1};
    const size_t map = PX * PX * C;
    hst_plan_options o = hst_plan_defaults();
    o.output = wanted;
    o.n_outputs = 5;
    hst_plan *p = hst_plan_make(g, hst_kernels_best(), &o, &e),
             *usual = hst_plan_new(g, hst_kernels_best(), &e);
    check_ok(!p || !usual, &e);
    assert_int_equal(hst_plan_output_floats(p), C + 4 * map);
    assert_int_equal(hst_plan_output_floats(usual), C);
    hst_work *w = hst_work_new(p, &e), *w2 = hst_work_new(usual, &e);
    float *x = random_floats(2 * PX * PX * 3, 5), *y = calloc(2 * (C + 4 * map), sizeof *y), y2[C];
    hst_plan_run(p, w, x, 2, y);
    for (size_t image = 0; image < 2; image++) {
        const float *all = y + image * (C + 4 * map), *a = all + C, *mixed = a + map,
                    *b = mixed + map, *c = b + map;
        hst_plan_run(usual, w2, x + image * PX * PX * 3, 1, y2);
        assert_memory_equal(y2, all, sizeof y2);
        for (size_t i = 0; i < map; i++)
            assert_true(fabsf(mixed[i] - (0.75f * (a[i] - b[i]) * c[i] + b[i])) < 1e-5f);
    }
    o.output = twice;
    o.n_outputs = 2;
    assert_null(hst_plan_make(g, hst_kernels_best(), &o, &e));
    assert_int_equal(e.code, HST_EARG);
    o.output = none;
    o.n_outputs = 1;
    assert_null(hst_plan_make(g, hst_kernels_best(), &o, &e));
    free(x);
    free(y);
    hst_work_free(w);
    hst_work_free(w2);
    hst_plan_free(p);
    hst_plan_free(usual);
    hst_graph_free(g);
}

/* What is asked for is inside an inverted residual: then that is no single step. */
static void what_is_asked_for_is_not_fused_away(void **state)
{
    (void)state;
    hst_err e = {0};
    const hst_conv expand = {1, 1, 12, HST_PAD_TF, 1}, deep = {3, 1, 0, HST_PAD_TF, 1},
                   project = {1, 1, 4, HST_PAD_TF, 1};
    hst_graph *g = hst_graph_new(&e);
    int x = hst_graph_input(g, (hst_shape){PX, PX, 4}, &e);
    int a =
        hst_graph_activation(g, hst_graph_conv2d(g, x, &expand, "expand", &e), HST_ACT_RELU6, &e);
    int b =
        hst_graph_activation(g, hst_graph_depthwise(g, a, &deep, "deep", &e), HST_ACT_RELU6, &e);
    int last = hst_graph_conv2d(g, b, &project, "project", &e);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 9);
    const int wanted[] = {a, last};
    hst_plan_options o = hst_plan_defaults();
    hst_plan *fused = hst_plan_make(g, hst_kernels_best(), &o, &e);
    o.output = wanted;
    o.n_outputs = 2;
    hst_plan *open = hst_plan_make(g, hst_kernels_best(), &o, &e);
    check_ok(!fused || !open, &e);
    assert_int_equal(hst_plan_n_steps(fused), 1);
    assert_int_equal(hst_plan_n_steps(open), 2);
    const size_t wide = PX * PX * 12, narrow = PX * PX * 4;
    float *in = random_floats(narrow, 1), *y = calloc(wide + narrow, sizeof *y),
          *want = calloc(narrow, sizeof *want);
    hst_work *w = hst_work_new(open, &e), *w2 = hst_work_new(fused, &e);
    hst_plan_run(open, w, in, 1, y);
    hst_plan_run(fused, w2, in, 1, want);
    assert_memory_equal(y + wide, want, narrow * sizeof *y);
    int positive = 0;
    for (size_t i = 0; i < wide; i++)
        positive += y[i] > 0;
    assert_true(positive > 0);
    hst_work_free(w);
    hst_work_free(w2);
    hst_plan_free(open);
    hst_plan_free(fused);
    free(in);
    free(y);
    free(want);
    hst_graph_free(g);
}

/* ---- a device: it counts what the processor's runner of convolutions does ---- */

static int runs;

static void count_and_infer(const hst_step *s, const hst_run_args *a)
{
    runs++;
    hst_infer_convolution_runner.infer(s, a);
}

static void another_device_is_another_table(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_runner counting = hst_infer_convolution_runner;
    counting.infer = count_and_infer;
    const hst_device_row rows[] = {
        {&hst_pattern_unit, &counting}, {&hst_pattern_node, &hst_infer_unit_runner}, {NULL, NULL}};
    const hst_device device = {"counting", rows, NULL};
    hst_graph *g = graph();
    hst_plan_options o = hst_plan_defaults();
    o.device = &device;
    hst_plan *p = hst_plan_make(g, hst_kernels_best(), &o, &e),
             *usual = hst_plan_new(g, hst_kernels_best(), &e);
    check_ok(!p || !usual, &e);
    float *x = random_floats(PX * PX * 3, 5), y[C], want[C];
    hst_work *w = hst_work_new(p, &e), *w2 = hst_work_new(usual, &e);
    hst_plan_run(p, w, x, 1, y);
    hst_plan_run(usual, w2, x, 1, want);
    assert_int_equal(runs, 3); /* the three convolutions; blend and average are nodes */
    assert_memory_equal(y, want, sizeof y);
    const hst_device_row few[] = {{&hst_pattern_unit, &counting}, {NULL, NULL}};
    const hst_device poor = {"poor", few, NULL};
    o.device = &poor;
    assert_null(hst_plan_make(g, hst_kernels_best(), &o, &e));
    assert_int_equal(e.code, HST_EMODEL);
    hst_work_free(w);
    hst_work_free(w2);
    hst_plan_free(p);
    hst_plan_free(usual);
    hst_graph_free(g);
    free(x);
}

/* d loss / d parameter by differences of float32 losses, so that no second definition is needed. */
static double loss_of(hst_learn *l, const float *x, const float *weight)
{
    hst_err e = {0};
    float features[2 * C];
    double loss = 0;
    hst_learn_changed(l);
    check_ok(hst_learn_forward(l, x, 2, features, &e), &e);
    for (int i = 0; i < 2 * C; i++)
        loss += (double)features[i] * (double)weight[i];
    return loss;
}

static void it_learns(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = graph();
    hst_learn_options o = hst_learn_defaults();
    hst_learn *l = hst_learn_new(g, hst_kernels_best(), &o, &e);
    check_ok(!l, &e);
    float *x = random_floats(2 * PX * PX * 3, 5), *weight = random_floats(2 * C, 6), unused[2 * C];
    float *grad = calloc(hst_learn_count(l), sizeof *grad), *param = hst_learn_params(l);
    check_ok(hst_learn_forward(l, x, 2, unused, &e), &e);
    check_ok(hst_learn_backward(l, weight, grad, &e), &e);
    double most = 0, worst = 0;
    for (size_t i = 0; i < hst_learn_count(l); i++) {
        const float was = param[i], h = 1e-2f;
        param[i] = was + h;
        const double up = loss_of(l, x, weight);
        param[i] = was - h;
        const double slope = (up - loss_of(l, x, weight)) / (2 * (double)h);
        param[i] = was;
        most = fmax(most, fabs(slope));
        worst = fmax(worst, fabs(slope - (double)grad[i]));
    }
    assert_true(worst < 1e-3 * most); /* h^2 of the third derivative, float32's 1e-7 over h */
    hst_learn_free(l);
    free(x);
    free(weight);
    free(grad);
    hst_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_nodes_can_be_walked),
        cmocka_unit_test(its_values_can_be_asked_for),
        cmocka_unit_test(what_is_asked_for_is_not_fused_away),
        cmocka_unit_test(another_device_is_another_table),
        cmocka_unit_test(it_learns),
    };
    return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}

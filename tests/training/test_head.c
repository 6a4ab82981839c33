/* training: the dense head and the optimisers against Keras, step by step. */
#include "support.h"

#include "base/mem.h"
#include "base/random.h"
#include "formats/safetensors.h"
#include "training/dense_head.h"
#include "training/optimiser.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 64, DIM = 1280, CLASSES = 5, BATCH = 16, EPOCHS = 3, STEPS = EPOCHS * N / BATCH };

/* What tf_keras was given and what it gave. */
typedef struct golden {
    npy x, y, w0, b0;
    const float *row[N];
    hst_tensors *want;
} golden;

static npy read_input(const char *name)
{
    char relative[64];
    snprintf(relative, sizeof relative, "golden/head/%s.npy", name);
    char *path = shared_path(relative);
    assert_non_null(path);
    npy a = npy_read(path);
    free(path);
    return a;
}

static golden golden_read(const char *name)
{
    golden g = {0};
    hst_err e = {0};
    char relative[64];
    snprintf(relative, sizeof relative, "golden/head/%s.safetensors", name);
    char *path = shared_path(relative);
    if (!path)
        skip_shared(relative);
    g.want = hst_tensors_read(path, &e);
    check_ok(g.want ? 0 : e.code, &e);
    free(path);
    g.x = read_input("X");
    g.y = read_input("y");
    g.w0 = read_input("W0");
    g.b0 = read_input("b0");
    assert_int_equal(g.x.count, N * DIM);
    assert_int_equal(g.y.count, N);
    for (size_t i = 0; i < N; i++)
        g.row[i] = (const float *)g.x.data + i * DIM;
    return g;
}

static void golden_free(golden *g)
{
    hst_tensors_free(g->want);
    free(g->x.data);
    free(g->y.data);
    free(g->w0.data);
    free(g->b0.data);
}

static const double *want_f64(const golden *g, const char *name, size_t n)
{
    const hst_tensor *t = hst_tensors_find(g->want, name);
    assert_non_null(t);
    assert_int_equal(t->dtype, HST_F64);
    assert_int_equal(hst_tensor_count(t), n);
    return t->data;
}

/* One of Keras' running means, [DIM][CLASSES] and [CLASSES], against one kept as the head keeps its
 * parameters. */
static void check_slot(const golden *g, const char *slot, const float *got, double atol)
{
    float kernel[DIM * CLASSES], bias[CLASSES];
    hst_dense_head h = {.dim = DIM, .n_classes = CLASSES, .param = (float *)got};
    char name[32];
    hst_dense_head_get(&h, kernel, bias);
    snprintf(name, sizeof name, "slot_%s_W", slot);
    const hst_tensor *t = hst_tensors_find(g->want, name);
    assert_true(t && t->dtype == HST_F32 && t->n_bytes == sizeof kernel);
    check_close(kernel, t->data, DIM * CLASSES, atol, 0, name);
    snprintf(name, sizeof name, "slot_%s_b", slot);
    t = hst_tensors_find(g->want, name);
    assert_true(t && t->n_bytes == sizeof bias);
    check_close(bias, t->data, CLASSES, atol, 0, name);
}

typedef struct golden_case {
    const char *name, *rule;
    double momentum; /* negative: the rule's */
    double w_atol, loss_atol;
    double val_loss[EPOCHS], val_accuracy[EPOCHS]; /* of fit(): the first 20 rows */
} golden_case;

static void check_end(const golden *g, const golden_case *c, const hst_dense_head *h,
                      const hst_optimiser *o)
{
    float kernel[DIM * CLASSES], bias[CLASSES];
    hst_dense_head_get(h, kernel, bias);
    check_close_f64(kernel, want_f64(g, "W_f64", DIM * CLASSES), DIM * CLASSES, c->w_atol, 0, "W");
    check_close_f64(bias, want_f64(g, "b_f64", CLASSES), CLASSES, c->w_atol, 0, "b");
    if (o->m)
        check_slot(g, "m", o->m, c->w_atol);
    if (o->v)
        check_slot(g, "v", o->v, c->w_atol);
}

static void near(double got, double want, double atol, const char *what, int step)
{
    if (!(fabs(got - want) <= atol))
        fail_msg("%s %d: %.9g, want %.9g", what, step, got, want);
}

static void run_case(const golden_case *c)
{
    golden g = golden_read(c->name);
    hst_dense_head h;
    hst_optimiser o;
    hst_err e = {0};
    size_t order[N];
    double loss = 0, right = 0;
    const double *step_loss = want_f64(&g, "step_loss_f64", STEPS);
    const double *running_loss = want_f64(&g, "running_loss", STEPS);
    const double *running_accuracy = want_f64(&g, "running_accuracy", STEPS);
    check_ok(hst_dense_head_init(&h, DIM, CLASSES, BATCH, &e), &e);
    check_ok(hst_optimiser_init(&o, hst_optimiser_rule_find(c->rule), h.n_params, &e), &e);
    o.momentum = c->momentum < 0 ? o.momentum : (float)c->momentum;
    h.l2 = 1e-4f;
    h.label_smoothing = 0.1f;
    hst_dense_head_set(&h, g.w0.data, g.b0.data);
    for (size_t i = 0; i < N; i++)
        order[i] = i;
    for (int step = 0; step < STEPS; step++) {
        int done = step % (N / BATCH); /* in this epoch */
        hst_head_batch b = {
            .x = g.row, .label = g.y.data, .order = order + done * BATCH, .n = BATCH};
        hst_batch_score s = hst_dense_head_gradient(&h, &b);
        hst_optimiser_step(&o, h.param, h.grad);
        loss = (done ? loss : 0) + s.loss;
        right = (done ? right : 0) + (double)s.right;
        near(s.loss, step_loss[step], c->loss_atol, "loss of step", step);
        near(loss / (done + 1), running_loss[step], c->loss_atol, "mean loss", step);
        near(right / (done + 1) / BATCH, running_accuracy[step], 1e-6, "accuracy", step);
        if (done + 1 < N / BATCH)
            continue;
        hst_head_batch val = {.x = g.row, .label = g.y.data, .n = 20};
        s = hst_dense_head_score(&h, &val);
        near(s.loss, c->val_loss[step / 4], c->loss_atol, "val_loss", step);
        near((double)s.right / 20, c->val_accuracy[step / 4], 1e-6, "val_accuracy", step);
    }
    check_end(&g, c, &h, &o);
    hst_optimiser_clear(&o);
    hst_dense_head_clear(&h);
    golden_free(&g);
}

/* Tolerances and fit()'s numbers as cases.json has them. */
static void sgd_as_keras(void **state)
{
    (void)state;
    run_case(&(golden_case){"sgd",
                            "sgd",
                            -1,
                            1e-6,
                            2e-6,
                            {1.284328818321228, 0.7940472960472107, 0.5725897550582886},
                            {0.65, 0.85, 0.9}});
}

static void sgd_without_momentum_as_keras(void **state)
{
    (void)state;
    run_case(&(golden_case){"sgd_plain",
                            "sgd",
                            0,
                            1e-6,
                            2e-6,
                            {1.587397813796997, 1.40581214427948, 1.2631251811981201},
                            {0.25, 0.55, 0.6}});
}

static void nesterov_as_keras(void **state)
{
    (void)state;
    run_case(&(golden_case){"nesterov",
                            "nesterov",
                            -1,
                            1e-6,
                            2e-6,
                            {1.1946831941604614, 0.7347296476364136, 0.5688744783401489},
                            {0.6, 0.85, 0.9}});
}

static void adam_as_keras(void **state)
{
    (void)state;
    run_case(&(golden_case){"adam",
                            "adam",
                            -1,
                            2e-5,
                            1e-5,
                            {1.2266582250595093, 0.9247921109199524, 0.7358421683311462},
                            {0.65, 0.75, 0.9}});
}

static void adamw_as_keras(void **state)
{
    (void)state;
    run_case(&(golden_case){"adamw",
                            "adamw",
                            -1,
                            2e-5,
                            1e-5,
                            {1.2266566753387451, 0.9247929453849792, 0.7358449697494507},
                            {0.65, 0.75, 0.9}});
}

static void rmsprop_as_keras(void **state)
{
    (void)state;
    run_case(&(golden_case){"rmsprop",
                            "rmsprop",
                            -1,
                            2e-5,
                            1e-5,
                            {0.992117702960968, 0.7659594416618347, 0.6571124792098999},
                            {0.8, 0.9, 0.9}});
}

/* One input of 1, so that the kernel is the logits: z = [2, -1, .5, 0, 1], class 2, smoothing .1.
 */
static void label_smoothing_vector(void **state)
{
    (void)state;
    static const float z[] = {2, -1, 0.5f, 0, 1}, bias[5] = {0}, one = 1;
    static const double grad[] = {0.5430212318141845, 0.008031176560891775, -0.7943729823783349,
                                  0.05619663787579923, 0.18712393612745928};
    const float *x = &one;
    const int label = 2;
    hst_dense_head h;
    hst_err e = {0};
    check_ok(hst_dense_head_init(&h, 1, 5, 1, &e), &e);
    hst_dense_head_set(&h, z, bias);
    h.label_smoothing = 0.1f;
    hst_batch_score s =
        hst_dense_head_gradient(&h, &(hst_head_batch){.x = &x, .label = &label, .n = 1});
    near(s.loss, 2.074437939627796, 1e-6, "loss", 0);
    assert_int_equal(s.right, 0);
    check_close_f64(h.grad, grad, 5, 1e-6, 0, "kernel gradient");
    check_close_f64(h.grad + 5, grad, 5, 1e-6, 0, "bias gradient");
    hst_dense_head_clear(&h);
}

/* Gradient 1, learning rate .005, momentum .9, weight 1. */
static void momentum_vector(void **state)
{
    (void)state;
    static const double want[] = {0.995, 0.9855, 0.97195};
    float w = 1, g = 1;
    hst_optimiser o;
    hst_err e = {0};
    check_ok(hst_optimiser_init(&o, hst_optimiser_rule_find("sgd"), 1, &e), &e);
    for (int i = 0; i < 3; i++) {
        hst_optimiser_step(&o, &w, &g);
        near((double)w, want[i], 1e-6, "weight", i);
    }
    hst_optimiser_clear(&o);
    assert_null(hst_optimiser_rule_find("SGD"));
    assert_null(hst_optimiser_rule_find(""));
}

/* A head of odd sizes with random numbers in it, and a batch for it. */
enum { ODD_N = 7, ODD_DIM = 37, ODD_CLASSES = 3 };

typedef struct odd {
    hst_dense_head h;
    float x[ODD_N * ODD_DIM];
    const float *row[ODD_N];
    int label[ODD_N];
    size_t order[ODD_N];
    uint8_t keep[ODD_N * ODD_DIM];
    hst_head_batch b;
} odd;

static void odd_make(odd *t)
{
    hst_rng r = hst_rng_new(5, HST_RNG_INIT, 0, 0);
    hst_err e = {0};
    check_ok(hst_dense_head_init(&t->h, ODD_DIM, ODD_CLASSES, ODD_N, &e), &e);
    t->h.l2 = 0.01f;
    t->h.label_smoothing = 0.2f;
    for (size_t i = 0; i < t->h.n_params; i++)
        t->h.param[i] = (float)(hst_rng_uniform(&r) - 0.5);
    for (size_t i = 0; i < ODD_N * ODD_DIM; i++) {
        t->x[i] = (float)hst_rng_uniform(&r);
        t->keep[i] = hst_rng_below(&r, 4) > 0;
    }
    for (size_t i = 0; i < ODD_N; i++) {
        t->row[i] = t->x + i * ODD_DIM;
        t->label[i] = (int)(i % ODD_CLASSES);
        t->order[i] = i * 3 % ODD_N;
    }
    t->b = (hst_head_batch){.x = t->row,
                            .label = t->label,
                            .order = t->order,
                            .n = ODD_N,
                            .keep = t->keep,
                            .keep_scale = 4.0f / 3};
}

/* The gradient is what the loss does when a parameter moves: central differences, dropout and L2
 * included. */
static void gradient_is_the_slope_of_the_loss(void **state)
{
    (void)state;
    odd t;
    float grad[(ODD_DIM + 1) * ODD_CLASSES];
    const float step = 1e-2f;
    odd_make(&t);
    hst_dense_head_gradient(&t.h, &t.b);
    assert_int_equal(sizeof grad, t.h.n_params * sizeof *grad);
    memcpy(grad, t.h.grad, sizeof grad);
    for (size_t i = 0; i < t.h.n_params; i++) {
        float old = t.h.param[i];
        t.h.param[i] = old + step;
        double up = hst_dense_head_gradient(&t.h, &t.b).loss;
        t.h.param[i] = old - step;
        double down = hst_dense_head_gradient(&t.h, &t.b).loss;
        t.h.param[i] = old;
        near((double)grad[i], (up - down) / (2 * (double)step), 1e-4, "gradient", (int)i);
    }
    hst_dense_head_clear(&t.h);
}

/* A batch with inputs dropped by the mask is a batch whose inputs are what is left of them. */
static void dropout_is_the_mask_of_the_caller(void **state)
{
    (void)state;
    odd t;
    float left[ODD_N * ODD_DIM], grad[(ODD_DIM + 1) * ODD_CLASSES];
    odd_make(&t);
    hst_batch_score masked = hst_dense_head_gradient(&t.h, &t.b);
    memcpy(grad, t.h.grad, sizeof grad);
    for (size_t i = 0; i < ODD_N; i++)
        for (size_t j = 0; j < ODD_DIM; j++)
            left[i * ODD_DIM + j] = t.keep[i * ODD_DIM + j] ? t.row[t.order[i]][j] * (4.0f / 3) : 0;
    const float *row[ODD_N];
    int label[ODD_N];
    for (size_t i = 0; i < ODD_N; i++) {
        row[i] = left + i * ODD_DIM;
        label[i] = t.label[t.order[i]];
    }
    hst_head_batch plain = {.x = row, .label = label, .n = ODD_N};
    hst_batch_score s = hst_dense_head_gradient(&t.h, &plain);
    assert_memory_equal(grad, t.h.grad, sizeof grad);
    assert_true(s.loss == masked.loss && s.right == masked.right);
    s = hst_dense_head_score(&t.h, &plain); /* the same numbers by the other way */
    assert_true(s.loss == masked.loss && s.right == masked.right);
    hst_dense_head_clear(&t.h);
}

/* The first of equal logits counts as the prediction, as argmax does it. */
static void ties_go_to_the_first_class(void **state)
{
    (void)state;
    const float zero = 0, *x[] = {&zero, &zero};
    const int label[] = {0, 1};
    hst_dense_head h;
    hst_err e = {0};
    check_ok(hst_dense_head_init(&h, 1, 4, 1, &e), &e);
    hst_batch_score s = hst_dense_head_score(&h, &(hst_head_batch){.x = x, .label = label, .n = 2});
    assert_int_equal(s.right, 1);
    near(s.loss, log(4), 1e-12, "loss", 0);
    hst_dense_head_clear(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd_as_keras),
        cmocka_unit_test(sgd_without_momentum_as_keras),
        cmocka_unit_test(nesterov_as_keras),
        cmocka_unit_test(adam_as_keras),
        cmocka_unit_test(adamw_as_keras),
        cmocka_unit_test(rmsprop_as_keras),
        cmocka_unit_test(label_smoothing_vector),
        cmocka_unit_test(momentum_vector),
        cmocka_unit_test(gradient_is_the_slope_of_the_loss),
        cmocka_unit_test(dropout_is_the_mask_of_the_caller),
        cmocka_unit_test(ties_go_to_the_first_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

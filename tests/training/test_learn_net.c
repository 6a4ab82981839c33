/* training: ten SGD steps of a whole network on one batch against tf_keras and PyTorch in float64.
 */
#include "support.h"

#include "backbones/backbone.h"
#include "nn/learn.h"
#include "training/dense_head.h"
#include "training/optimiser.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 16, PX = 96, CLASSES = 5, DIM = 1280, STEPS = 10 };

static char *golden(const char *name)
{
    char relative[128];
    snprintf(relative, sizeof relative, "golden/net/%s", name);
    char *path = shared_path(relative);
    if (!path)
        skip_shared(relative);
    return path;
}

static hst_tensors *tensors(const char *name)
{
    hst_err e = {0};
    char *path = golden(name);
    hst_tensors *t = hst_tensors_read(path, &e);
    check_ok(!t, &e);
    free(path);
    return t;
}

/* A tensor as floats, to be freed. */
static float *values(const hst_tensors *t, const char *name)
{
    const hst_tensor *n = hst_tensors_find(t, name);
    hst_err e = {0};
    if (!n)
        fail_msg("no tensor %s", name);
    float *x = malloc(hst_tensor_count(n) * sizeof *x);
    check_ok(hst_tensor_floats(n, x, &e), &e);
    return x;
}

static hst_graph *network(const hst_tensors *init)
{
    hst_err e = {0};
    hst_arch a = {.family = "mobilenet_v2", .size = {PX, PX}, .cnn = {0.35, HST_PAD_TF, 1e-3}};
    a.cnn.padding = HST_PAD_TF;
    a.norm = (hst_pixel_norm){{127.5f, 127.5f, 127.5f}, {127.5f, 127.5f, 127.5f}};
    hst_graph *g = hst_arch_graph(&a, &e);
    check_ok(!g, &e);
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        float *x = values(init, p->name);
        memcpy(p->data, x, hst_param_count(p) * sizeof *x);
        free(x);
    }
    return g;
}

/* The batch, and all that a step works on. */
typedef struct net {
    hst_graph *graph;
    hst_learn *learn;
    hst_dense_head head;
    hst_optimiser body_step, head_step;
    float *x, *features, *dfeatures, *grad;
    const float *row[BATCH];
    int label[BATCH];
} net;

static net begin(const hst_kernels *k, const hst_learn_options *o)
{
    hst_err e = {0};
    net n = {0};
    hst_tensors *init = tensors("init.safetensors");
    n.graph = network(init);
    n.learn = hst_learn_new(n.graph, k, o, &e);
    check_ok(!n.learn, &e);
    check_ok(hst_dense_head_init(&n.head, DIM, CLASSES, BATCH, &e), &e);
    n.head.l2 = 1e-4f;
    n.head.label_smoothing = 0.1f;
    float *kernel = values(init, "head/kernel"), *bias = values(init, "head/bias");
    hst_dense_head_set(&n.head, kernel, bias);
    free(kernel);
    free(bias);
    const hst_optimiser_rule *sgd = hst_optimiser_rule_find("sgd");
    check_ok(hst_optimiser_init(&n.body_step, sgd, hst_learn_count(n.learn), &e), &e);
    check_ok(hst_optimiser_init(&n.head_step, sgd, n.head.n_params, &e), &e);
    char *x_path = golden("x_u8.npy"), *y_path = golden("y.npy");
    npy x = npy_read(x_path), y = npy_read(y_path);
    n.x = malloc(x.count * sizeof *n.x);
    for (size_t i = 0; i < x.count; i++)
        n.x[i] = (float)((const uint8_t *)x.data)[i] / 127.5f - 1;
    n.features = calloc(BATCH * DIM, sizeof *n.features);
    n.dfeatures = calloc(BATCH * DIM, sizeof *n.dfeatures);
    n.grad = calloc(hst_learn_count(n.learn), sizeof *n.grad);
    for (int i = 0; i < BATCH; i++) {
        n.label[i] = ((const int32_t *)y.data)[i];
        n.row[i] = n.features + (size_t)i * DIM;
    }
    free(x.data);
    free(y.data);
    free(x_path);
    free(y_path);
    hst_tensors_free(init);
    return n;
}

static void end(net *n)
{
    hst_optimiser_clear(&n->body_step);
    hst_optimiser_clear(&n->head_step);
    hst_dense_head_clear(&n->head);
    hst_learn_free(n->learn);
    hst_graph_free(n->graph);
    free(n->x);
    free(n->features);
    free(n->dfeatures);
    free(n->grad);
}

/* Gradients of the batch; the loss. */
static double gradients(net *n)
{
    hst_err e = {0};
    check_ok(hst_learn_forward(n->learn, n->x, BATCH, n->features, &e), &e);
    hst_batch_score s = hst_dense_head_gradient(
        &n->head, &(hst_head_batch){n->row, n->label, NULL, BATCH, NULL, 1});
    for (size_t i = 0; i < BATCH; i++)
        for (size_t d = 0; d < DIM; d++) {
            double sum = 0;
            for (size_t c = 0; c < CLASSES; c++)
                sum += (double)n->head.delta[i * CLASSES + c] * (double)n->head.param[c * DIM + d];
            n->dfeatures[i * DIM + d] = (float)(sum / BATCH);
        }
    check_ok(hst_learn_backward(n->learn, n->dfeatures, n->grad, &e), &e);
    return s.loss;
}

static void update(net *n)
{
    hst_optimiser_step(&n->body_step, hst_learn_params(n->learn), n->grad);
    hst_optimiser_step(&n->head_step, n->head.param, n->head.grad);
    hst_learn_changed(n->learn);
}

/* Every gradient tensor's norm against the reference's, seen from the largest. */
static void check_first_gradient(const net *n, const char *name, double tolerance)
{
    char file[96];
    double largest = 0;
    snprintf(file, sizeof file, "%s_norms.json", name);
    char *path = golden(file);
    json_t *root = json_load_file(path, 0, NULL),
           *want = json_object_get(root, "first_step_gradient_l2");
    free(path);
    assert_non_null(want);
    const char *key;
    json_t *value;
    json_object_foreach(want, key, value) largest = fmax(largest, json_number_value(value));
    for (size_t i = 0; i < hst_graph_n_params(n->graph); i++) {
        const hst_param *p = hst_graph_param(n->graph, i);
        double sum = 0;
        if (p->statistic)
            continue;
        const float *g = n->grad + (p->data - hst_learn_params(n->learn));
        for (size_t k = 0; k < hst_param_count(p); k++)
            sum += (double)g[k] * (double)g[k];
        double is = json_number_value(json_object_get(want, p->name));
        if (fabs(sqrt(sum) - is) > tolerance * largest)
            fail_msg("%s: gradient of %s has norm %.9g, not %.9g", name, p->name, sqrt(sum), is);
    }
    json_decref(root);
}

typedef struct net_case {
    const char *name;
    enum hst_bn_mode batchnorm;
    double decay, first_gradient;
    int steps, portable_steps; /* whose loss is looked at */
    double loss[STEPS];
} net_case;

/* Moving statistics after the last step. */
static void check_statistics(const net *n, const hst_tensors *want, double tolerance)
{
    for (size_t i = 0; i < hst_graph_n_params(n->graph); i++) {
        const hst_param *p = hst_graph_param(n->graph, i);
        char name[128];
        if (!p->statistic)
            continue;
        snprintf(name, sizeof name, "final.%s", p->name);
        float *x = values(want, name);
        double most = 0;
        for (size_t k = 0; k < hst_param_count(p); k++)
            most = fmax(most, fabs((double)x[k]));
        check_close(p->data, x, hst_param_count(p), tolerance * most, 0, name);
        free(x);
    }
}

static void check_weights(const net *n, double tolerance)
{
    hst_tensors *want = tensors("final_bn_train_m0_99.safetensors");
    for (size_t i = 0; i < hst_graph_n_params(n->graph); i++) {
        const hst_param *p = hst_graph_param(n->graph, i);
        if (p->statistic)
            continue;
        float *x = values(want, p->name);
        check_close(p->data, x, hst_param_count(p), tolerance, 0, p->name);
        free(x);
    }
    hst_tensors_free(want);
}

static void check_net(const net_case *c, const hst_kernels *k)
{
    hst_learn_options o = hst_learn_defaults();
    char file[64];
    o.batchnorm = c->batchnorm;
    o.bn_decay = c->decay;
    o.max_batch = BATCH;
    hst_err e = {0};
    o.executor = hst_executor_new(2, &e);
    check_ok(!o.executor, &e);
    net n = begin(k, &o);
    snprintf(file, sizeof file, "%s.safetensors", c->name);
    hst_tensors *want = tensors(file), *usual = tensors("bn_train_m0_99.safetensors");
    const hst_tensor *losses = hst_tensors_find(want, "loss_f64");
    losses = losses ? losses : hst_tensors_find(usual, "loss_f64"); /* the decay changes no loss */
    assert_int_equal(hst_tensor_count(losses), STEPS);
    double loss[STEPS];
    memcpy(loss, losses->data, sizeof loss);
    hst_tensors_free(usual);
    int looked_at = strcmp(k->isa, "portable") == 0 ? c->portable_steps : c->steps;
    for (int step = 0; step < STEPS; step++) {
        double is = gradients(&n);
        if (step < looked_at && fabs(is - loss[step]) > c->loss[step])
            fail_msg("%s, %s, step %d: loss %.9g, not %.9g", c->name, k->isa, step + 1, is,
                     loss[step]);
        if (step == 0)
            check_first_gradient(&n, c->name, c->first_gradient);
        update(&n);
    }
    if (c->batchnorm == HST_BN_BATCH) {
        check_statistics(&n, want, 0.002);
        check_weights(&n, 2e-4);
    }
    hst_tensors_free(want);
    end(&n);
    hst_executor_free(o.executor);
}

static void steps_equal_the_reference(void **state)
{
    (void)state;
    /* A gradient jumps where an activation crosses a bound of ReLU6, so that float32 computations
     * part sooner or later. Frozen, ours keep to the reference's tolerance for four steps with
     * every table; the portable one, whose multiply-add rounds twice, for six with batch
     * statistics. */
    static const net_case cases[] = {
        {"bn_frozen", HST_BN_FROZEN, .999, 3e-6, 4, 4, {2e-6, 2e-6, 2e-6, 2e-6}},
        {"bn_train_m0_99",
         HST_BN_BATCH,
         .99,
         1e-4,
         STEPS,
         6,
         {2e-6, 2e-6, 2e-6, 2e-6, 8e-6, 8e-6, 8e-6, 8e-5, 8e-5, 8e-5}},
        {"bn_train_m0_999",
         HST_BN_BATCH,
         .999,
         1e-4,
         STEPS,
         6,
         {2e-6, 2e-6, 2e-6, 2e-6, 8e-6, 8e-6, 8e-6, 8e-5, 8e-5, 8e-5}},
    };
    hst_tensors_free(tensors("init.safetensors")); /* skips before there is anything to free */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int usable;
        for (int k = 0; hst_kernels_name(k, &usable); k++)
            if (usable)
                check_net(&cases[i], hst_kernels_find(hst_kernels_name(k, NULL)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps_equal_the_reference)};
    return cmocka_run_group_tests_name("learn_net", tests, NULL, NULL);
}

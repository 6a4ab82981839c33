/* training: what a step learns from, at which rate, and which layers learn. */
#include "made_up.h"
#include "support.h"

#include "backbones/backbone.h"
#include "nn/op.h"
#include "training/sampler.h"
#include "training/schedule.h"
#include "training/thaw.h"
#include "training/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double rate(enum hst_schedule schedule, double peak, uint64_t step, uint64_t steps)
{
    return hst_rates_at(&(hst_rates){.schedule = schedule, .peak = peak, .steps = steps}, step);
}

static void schedules_are_pytorchs(void **state)
{
    (void)state;
    /* torch 2.13: OneCycleLR(SGD(lr=1), max_lr=1, total_steps=10).get_last_lr(), step by step */
    static const double want[10] = {0.04,
                                    0.52,
                                    1.0,
                                    0.9504846320134737,
                                    0.8117456539497631,
                                    0.6112620219362893,
                                    0.38874197806371075,
                                    0.18825834605023694,
                                    0.049519367986526254,
                                    4e-06};
    for (uint64_t i = 0; i < 10; i++)
        assert_true(fabs(rate(HST_ONE_CYCLE, 1, i, 10) - want[i]) < 1e-12);
    assert_true(rate(HST_CONSTANT, 0.3, 7, 10) == 0.3);
    /* 100 steps: 5 of them up, then half a cosine from the peak */
    assert_true(fabs(rate(HST_COSINE, 1, 0, 100) - 1.0 / 6) < 1e-12);
    assert_true(fabs(rate(HST_COSINE, 1, 5, 100) - 1) < 1e-12);
    assert_true(fabs(rate(HST_COSINE, 2, 52, 100) - (1 + cos(M_PI * 47 / 95))) < 1e-12);
    for (uint64_t n = 1; n < 8; n++) /* nothing odd with few steps */
        for (uint64_t i = 0; i < n; i++) {
            double one = rate(HST_ONE_CYCLE, 1, i, n);
            double cosine = rate(HST_COSINE, 1, i, n);
            assert_true(one > 0 && one <= 1 && cosine > 0 && cosine <= 1);
        }
}

/* Over 4 of 20 steps: a fifth of the peak more in each, then the peak, then the schedule falls. */
static void a_warm_up_is_a_straight_line(void **state)
{
    (void)state;
    hst_rates r = {.peak = 2, .steps = 20, .warmup = 4};
    for (int s = HST_CONSTANT; s <= HST_ONE_CYCLE; s++) {
        r.schedule = (enum hst_schedule)s;
        for (uint64_t i = 0; i < 5; i++)
            assert_true(fabs(hst_rates_at(&r, i) - 0.4 * (double)(i + 1)) < 1e-12);
        for (uint64_t i = 5; i < 20; i++)
            assert_true(hst_rates_at(&r, i) < hst_rates_at(&r, i - 1) || s == HST_CONSTANT);
    }
    r.schedule = HST_COSINE; /* 8 of 16 steps down: half of the half cosine */
    assert_true(fabs(hst_rates_at(&r, 12) - 1) < 1e-12);
    r.schedule = HST_ONE_CYCLE; /* the last step's is a 250,000th of the peak, with or without */
    assert_true(fabs(hst_rates_at(&r, 19) - 2.0 / 250000) < 1e-15);
    r.warmup = 20; /* all of training */
    assert_true(fabs(hst_rates_at(&r, 19) - 2.0 * 20 / 21) < 1e-12);
    assert_int_equal(hst_warmup_steps(0.5, 9), 5);
    assert_int_equal(hst_warmup_steps(0, 9), 0);
    assert_int_equal(hst_warmup_steps(2, 9), 18);
}

static void a_pass_takes_every_photo_once(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_sampler s;
    check_ok(hst_sampler_init(&s, 23, 5, 9, &e), &e);
    assert_int_equal(hst_sampler_steps(&s), 5);
    size_t first[5] = {0};
    for (uint64_t pass = 0; pass < 3; pass++) {
        int seen[23] = {0};
        for (uint64_t i = 0; i < 5; i++) {
            hst_sample x = hst_sampler_at(&s, pass * 5 + i);
            assert_int_equal(x.n, i < 4 ? 5 : 3);
            assert_int_equal(x.pass, pass);
            assert_int_equal(hst_sampler_seen(&s, pass * 5 + i), pass * 23 + i * 5);
            for (size_t k = 0; k < x.n; k++)
                seen[x.order[k]]++;
        }
        for (int i = 0; i < 23; i++)
            assert_int_equal(seen[i], 1);
    }
    memcpy(first, hst_sampler_at(&s, 1).order, sizeof first);
    (void)hst_sampler_at(&s, 12);
    assert_memory_equal(first, hst_sampler_at(&s, 1).order, sizeof first);
    hst_sampler_clear(&s);
}

static int is_same_thaw(const hst_thaw *a, const hst_thaw *b)
{
    return a->first_node == b->first_node && a->first_layer == b->first_layer &&
           a->n_layers == b->n_layers && a->n_learn == b->n_learn;
}

static void layers_are_thawed_by_name_or_number(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_arch a = {.family = "mobilenet_v2",
                  .size = {224, 224},
                  .cnn = {1, HST_PAD_TF, 1e-3},
                  .norm = {{127.5f, 127.5f, 127.5f}, {127.5f, 127.5f, 127.5f}}};
    hst_graph *g = hst_arch_graph(&a, &e);
    assert_non_null(g);
    hst_thaw all, other;
    check_ok(hst_thaw_parse("all", g, &all, &e), &e);
    assert_int_equal(all.n_layers, 52);
    assert_int_equal(all.first_layer, 0);
    assert_int_equal(all.n_learn, 2223872); /* all but the statistics, as Keras counts */
    check_ok(hst_thaw_parse("last:52", g, &other, &e), &e);
    assert_true(is_same_thaw(&other, &all));
    check_ok(hst_thaw_parse("last:1", g, &other, &e), &e);
    assert_int_equal(other.n_learn, 320 * 1280 + 2 * 1280);
    check_ok(hst_thaw_parse("from:Conv_1", g, &all, &e), &e);
    assert_true(is_same_thaw(&other, &all));
    check_ok(hst_thaw_parse("from:Conv_1_bn", g, &other, &e), &e);
    assert_int_equal(other.n_learn, 2 * 1280);
    check_ok(hst_thaw_parse("from:block_1", g, &other, &e), &e); /* not block_10 */
    check_ok(hst_thaw_parse("from:block_1_expand", g, &all, &e), &e);
    assert_true(is_same_thaw(&other, &all));
    static const char *const wrong[] = {"",
                                        "last:",
                                        "last:0",
                                        "last:53",
                                        "last:-1",
                                        "last:2x",
                                        "last: 2",
                                        "from:",
                                        "from:bloc",
                                        "everything",
                                        "last:99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(hst_thaw_parse(wrong[i], g, &other, &e), HST_EARG);
    hst_graph_free(g);
}

static const hst_arch vit = {
    .family = "vit",
    .size = {64, 64},
    .vit = {64, 3, 1, 16, 128, 1, 1, 1, .act = HST_ACT_GELU, .epsilon = 1e-6},
    .norm = {{127.5f, 127.5f, 127.5f}, {127.5f, 127.5f, 127.5f}}};

/* Of a transformer layers are blocks, in front of which the patches are one, and kernels alone
 * decay. */
static void blocks_are_thawed(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = hst_arch_graph(&vit, &e);
    assert_non_null(g);
    const uint64_t block = 4 * 64 * 64 + 4 * 64 + 2 * 64 * 128 + 128 + 64 + 6 * 64;
    hst_thaw t, other;
    check_ok(hst_thaw_parse("last:1", g, &t, &e), &e);
    assert_int_equal(t.n_layers, 4);
    assert_int_equal(t.first_layer, 3);
    assert_int_equal(t.n_learn, block + 2 * 64); /* the last norm is with it */
    check_ok(hst_thaw_parse("from:block_1", g, &t, &e), &e);
    check_ok(hst_thaw_parse("last:2", g, &other, &e), &e);
    assert_true(is_same_thaw(&t, &other));
    check_ok(hst_thaw_parse("all", g, &t, &e), &e);
    check_ok(hst_thaw_parse("last:4", g, &other, &e), &e);
    assert_true(is_same_thaw(&t, &other));
    assert_int_equal(t.n_learn, 3 * block + 2 * 64 + (16 * 16 * 3 + 1 + 2 + 16) * 64);
    assert_int_equal(hst_thaw_parse("last:5", g, &other, &e), HST_EARG);
    int decay = 0, others = 0;
    for (int i = 0; i < hst_graph_n_nodes(g); i++) {
        const hst_node *n = hst_graph_node(g, i);
        for (int s = 0; s < n->n_slots; s++) {
            assert_int_equal(hst_thaw_decays(g, i, s), strcmp(n->slot[s].ending, "kernel") == 0);
            decay += hst_thaw_decays(g, i, s);
            others += !hst_thaw_decays(g, i, s);
        }
    }
    assert_int_equal(decay, 1 + 3 * 4);
    assert_int_equal(others, 1 + 2 + 3 * (4 + 4 + 2) + 2);
    hst_graph_free(g);
}

/* Each parameter is in one group, whose optimiser lets it decay or not, at its block's rate. */
static void what_does_not_decay_has_groups_of_its_own(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_ctx *ctx = made_up_ctx(1);
    hst_backbone b = {.arch = vit, .graph = hst_arch_graph(&vit, &e)};
    check_ok(b.graph == NULL, &e);
    made_up_fill(b.graph);
    b.plan = hst_plan_new(b.graph, hst_kernels_find("portable"), &e);
    check_ok(b.plan == NULL, &e);
    hst_trainer t;
    hst_trainer_options o = {.learn = hst_learn_defaults(),
                             .max_batch = 2,
                             .n_classes = 3,
                             .rule = hst_optimiser_rule_find("adamw"),
                             .momentum = -1,
                             .layer_decay = 0.5};
    check_ok(hst_thaw_parse("last:2", b.graph, &o.thaw, &e), &e);
    check_ok(hst_trainer_init(&t, ctx, &b, &o, &e), &e);
    const float *base = hst_learn_params(t.learn);
    size_t group = 0, in_group = 0;
    for (int i = o.thaw.first_node; i < hst_graph_n_nodes(t.graph); i++) {
        const hst_node *n = hst_graph_node(t.graph, i);
        for (int s = 0; s < n->n_slots; s++) {
            const hst_param *p = hst_graph_param(t.graph, (size_t)(n->first_param + s));
            if (in_group == t.group[group].optimiser.n) {
                group++;
                in_group = 0;
            }
            const hst_group *at = &t.group[group];
            const int kernel = strcmp(n->slot[s].ending, "kernel") == 0;
            assert_ptr_equal(base + at->begin + in_group, p->data);
            assert_int_equal(at->optimiser.weight_decay > 0, kernel);
            assert_true(at->rate == (strncmp(n->name, "block_1_", 8) == 0 ? 0.25 : 0.5));
            in_group += hst_param_count(p);
        }
    }
    assert_int_equal(group + 1, t.n_groups);
    hst_trainer_clear(&t);
    hst_plan_free(b.plan);
    hst_graph_free(b.graph);
    hst_close(ctx);
}

/* One step of SGD without momentum from a trainer with layer decay d: every parameter moves by
 * lr d^k times its gradient, k being 1 for the last block and what is behind it, and one more for
 * each block in front of it, the patches and tokens last; the head's by lr times its own. */
static void check_moved(const char *name, const float *now, const float *before, const float *grad,
                        double rate, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (fabs((double)(now[k] - before[k]) + rate * (double)grad[k]) >
            1e-6 * (fabs((double)before[k]) + rate * fabs((double)grad[k])))
            fail_msg("%s %zu: %g became %g, gradient %g", name, k, (double)before[k],
                     (double)now[k], (double)grad[k]);
}

static void check_step(const hst_trainer *t, const float *before, double lr, double d)
{
    const float *base = hst_learn_params(t->learn), *at = before;
    for (int i = 0; i < hst_graph_n_nodes(t->graph); i++) {
        const hst_node *n = hst_graph_node(t->graph, i);
        int block = strcmp(n->name, "norm") == 0 ? 2 : -1;
        (void)sscanf(n->name, "block_%d_", &block);
        const double rate = lr * pow(d, 3 - block);
        for (int s = 0; s < n->n_slots; s++) {
            const hst_param *p = hst_graph_param(t->graph, (size_t)(n->first_param + s));
            check_moved(p->name, p->data, at, t->grad + (p->data - base), rate, hst_param_count(p));
            at += hst_param_count(p);
        }
    }
    check_moved("head", t->head.param, at, t->head.grad, lr, t->head.n_params);
}

static void a_step_is_shorter_from_block_to_block(void **state)
{
    (void)state;
    enum { PHOTOS = 2, FLOATS = 64 * 64 * 3 };
    hst_err e = {0};
    hst_ctx *ctx = made_up_ctx(1);
    hst_backbone b = {.arch = vit, .graph = hst_arch_graph(&vit, &e)};
    check_ok(b.graph == NULL, &e);
    made_up_fill(b.graph);
    b.plan = hst_plan_new(b.graph, hst_kernels_find("portable"), &e);
    check_ok(b.plan == NULL, &e);
    hst_trainer t;
    hst_trainer_options o = {.learn = hst_learn_defaults(),
                             .max_batch = PHOTOS,
                             .n_classes = 3,
                             .rule = hst_optimiser_rule_find("sgd"),
                             .momentum = 0,
                             .layer_decay = 0.75};
    check_ok(hst_thaw_parse("all", b.graph, &o.thaw, &e), &e);
    check_ok(hst_trainer_init(&t, ctx, &b, &o, &e), &e);
    float *x = calloc((size_t)PHOTOS * FLOATS, sizeof *x), *before = NULL;
    for (size_t i = 0; i < (size_t)PHOTOS * FLOATS; i++)
        x[i] = (float)made_up_noise(5, (uint32_t)i);
    const int labels[PHOTOS] = {0, 2};
    hst_train_batch batch = {
        .x = x, .head = {.n = PHOTOS, .label = labels}, .learning_rate = 0.125};
    hst_batch_score score;
    for (size_t i = 0; i < t.head.n_params; i++) /* one of zeros would pass nothing on */
        t.head.param[i] = (float)made_up_noise(6, (uint32_t)i);
    check_ok(hst_trainer_keep(&t, &before, &e), &e);
    check_ok(hst_trainer_step(&t, &batch, &score, &e), &e);
    check_step(&t, before, batch.learning_rate, o.layer_decay);
    free(before);
    free(x);
    hst_trainer_clear(&t);
    hst_plan_free(b.plan);
    hst_graph_free(b.graph);
    hst_close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_are_pytorchs),
        cmocka_unit_test(a_warm_up_is_a_straight_line),
        cmocka_unit_test(a_pass_takes_every_photo_once),
        cmocka_unit_test(layers_are_thawed_by_name_or_number),
        cmocka_unit_test(blocks_are_thawed),
        cmocka_unit_test(what_does_not_decay_has_groups_of_its_own),
        cmocka_unit_test(a_step_is_shorter_from_block_to_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

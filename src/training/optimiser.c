/* optimiser.c - formulas from tf_keras 2 (src/optimizers), which Keras 3 shares. */
#include "training/optimiser.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Keras' defaults: decay of the running means and what keeps divisions finite. */
static const double beta1 = 0.9, beta2 = 0.999, rho = 0.9;
static const float epsilon = 1e-7f, usual_decay = 0.004f;

/* v = momentum v - lr g;  w += v */
static void step_sgd(hst_optimiser *o, float *restrict w, const float *restrict g)
{
    float *restrict m = o->m;
    float lr = o->learning_rate, momentum = o->momentum;
    for (size_t i = 0; i < o->n; i++) {
        m[i] = m[i] * momentum - g[i] * lr;
        w[i] += m[i];
    }
}

/* The step is taken from where the velocity will have led:  w += momentum v - lr g */
static void step_nesterov(hst_optimiser *o, float *restrict w, const float *restrict g)
{
    float *restrict m = o->m;
    float lr = o->learning_rate, momentum = o->momentum;
    for (size_t i = 0; i < o->n; i++) {
        m[i] = m[i] * momentum - g[i] * lr;
        w[i] += m[i] * momentum - g[i] * lr;
    }
}

/* m and v approach g and g^2; w -= alpha m / (sqrt(v) + epsilon), where
 * alpha = lr sqrt(1 - beta2^t) / (1 - beta1^t) makes up for both having begun at zero. */
static void step_adam(hst_optimiser *o, float *restrict w, const float *restrict g)
{
    float *restrict m = o->m, *restrict v = o->v;
    const float toward_m = (float)(1 - beta1), toward_v = (float)(1 - beta2);
    o->beta1_power *= (double)(float)beta1;
    o->beta2_power *= (double)(float)beta2;
    float alpha = o->learning_rate * sqrtf(1 - (float)o->beta2_power) / (1 - (float)o->beta1_power);
    for (size_t i = 0; i < o->n; i++) {
        m[i] += (g[i] - m[i]) * toward_m;
        v[i] += (g[i] * g[i] - v[i]) * toward_v;
        w[i] -= m[i] * alpha / (sqrtf(v[i]) + epsilon);
    }
}

/* Adam after every parameter, the bias too, has shrunk by lr * weight_decay of itself. No decay
 * moves nothing: w - w * 0 is w. */
static void step_adamw(hst_optimiser *o, float *restrict w, const float *restrict g)
{
    for (size_t i = 0; i < o->n; i++)
        w[i] -= w[i] * o->weight_decay * o->learning_rate;
    step_adam(o, w, g);
}

/* v approaches g^2;  w -= lr g / sqrt(v + epsilon) */
static void step_rmsprop(hst_optimiser *o, float *restrict w, const float *restrict g)
{
    float *restrict v = o->v;
    const float keep = (float)rho, toward = (float)(1 - rho);
    for (size_t i = 0; i < o->n; i++) {
        v[i] = keep * v[i] + toward * (g[i] * g[i]);
        w[i] -= o->learning_rate * g[i] * (1 / sqrtf(v[i] + epsilon));
    }
}

const char *const hst_optimiser_names[] = {
    [HST_SGD] = "sgd",     [HST_NESTEROV] = "nesterov", [HST_ADAM] = "adam",
    [HST_ADAMW] = "adamw", [HST_RMSPROP] = "rmsprop",   NULL};

static const hst_optimiser_rule rules[] = {[HST_SGD] = {0.005, 0.9, 1, 0, step_sgd},
                                           [HST_NESTEROV] = {0.005, 0.9, 1, 0, step_nesterov},
                                           [HST_ADAM] = {0.001, -1, 1, 1, step_adam},
                                           [HST_ADAMW] = {0.001, -1, 1, 1, step_adamw},
                                           [HST_RMSPROP] = {0.001, -1, 0, 1, step_rmsprop}};

const hst_optimiser_rule *hst_optimiser_rule_of(enum hst_optimiser_id id)
{
    return &rules[id];
}

const hst_optimiser_rule *hst_optimiser_rule_find(const char *name)
{
    for (int i = 0; hst_optimiser_names[i]; i++)
        if (strcmp(hst_optimiser_names[i], name) == 0)
            return &rules[i];
    return NULL;
}

int hst_optimiser_init(hst_optimiser *o, const hst_optimiser_rule *rule, size_t n, hst_err *err)
{
    *o = (hst_optimiser){.rule = rule, .n = n, .beta1_power = 1, .beta2_power = 1};
    o->learning_rate = (float)rule->learning_rate;
    o->weight_decay = usual_decay;
    o->momentum = rule->momentum < 0 ? 0 : (float)rule->momentum;
    if (rule->uses_m && !(o->m = hst_alloc(n, sizeof *o->m, err)))
        return HST_EMEM;
    if (rule->uses_v && !(o->v = hst_alloc(n, sizeof *o->v, err)))
        return HST_EMEM;
    return 0;
}

void hst_optimiser_clear(hst_optimiser *o)
{
    free(o->m);
    free(o->v);
    o->m = o->v = NULL;
}

void hst_optimiser_restart(hst_optimiser *o)
{
    if (o->m)
        memset(o->m, 0, o->n * sizeof *o->m);
    if (o->v)
        memset(o->v, 0, o->n * sizeof *o->v);
    o->beta1_power = o->beta2_power = 1;
}

void hst_optimiser_step(hst_optimiser *o, float *w, const float *g)
{
    o->rule->step(o, w, g);
}

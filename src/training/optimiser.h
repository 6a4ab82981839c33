/* optimiser.h - rules that move parameters against a gradient, step by step as Keras does it in
 * float32: SGD with momentum, Nesterov, Adam, AdamW, RMSprop. */
#ifndef HST_TRAINING_OPTIMISER_H
#define HST_TRAINING_OPTIMISER_H
#include "base/err.h"

typedef struct hst_optimiser hst_optimiser;

enum hst_optimiser_id { HST_SGD, HST_NESTEROV, HST_ADAM, HST_ADAMW, HST_RMSPROP };
/* "sgd", ... by the enum; NULL ends them. */
extern const char *const hst_optimiser_names[];

typedef struct hst_optimiser_rule {
    double learning_rate; /* the default: the tutorial's for SGD, else Keras' */
    double momentum;      /* the default; negative: the rule has no such setting */
    int uses_m, uses_v;   /* which running means it keeps */
    /* One update of w[o->n] by the gradient g[o->n]. */
    void (*step)(hst_optimiser *o, float *w, const float *g);
} hst_optimiser_rule;

const hst_optimiser_rule *hst_optimiser_rule_of(enum hst_optimiser_id id);
/* NULL for an unknown name. */
const hst_optimiser_rule *hst_optimiser_rule_find(const char *name);

struct hst_optimiser {
    const hst_optimiser_rule *rule;
    float learning_rate, momentum;
    float weight_decay; /* AdamW: the usual one, unless it is set */
    size_t n;           /* parameters */
    float *m;           /* [n] velocity (SGD) or running mean of the gradient (Adam), or NULL */
    float *v;           /* [n] running mean of the squared gradient, or NULL */
    double beta1_power, beta2_power; /* Adam: beta to the number of steps */
};

/* Running means of zero for n parameters, the rule's default learning rate and momentum. On failure
 * hst_optimiser_clear() is still due. */
HST_CHECK int hst_optimiser_init(hst_optimiser *o, const hst_optimiser_rule *rule, size_t n,
                                 hst_err *err);
void hst_optimiser_clear(hst_optimiser *o);
/* Forgets all steps; rate and momentum stay. */
void hst_optimiser_restart(hst_optimiser *o);
void hst_optimiser_step(hst_optimiser *o, float *w, const float *g);
#endif

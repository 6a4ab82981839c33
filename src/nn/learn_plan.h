/* learn_plan.h - between learn.c and learn_plan.c. */
#ifndef HST_NN_LEARN_PLAN_H
#define HST_NN_LEARN_PLAN_H
#include "nn/learn_step.h"

/* Fills l from l->graph, l->kernels and l->options. */
HST_CHECK int hst_learn_build(hst_learn *l, hst_err *err);
#endif

/* tuning_scene.h - photos, a small network and what fine-tuning makes of them. */
#ifndef TUNING_SCENE_H
#define TUNING_SCENE_H
#include "made_up.h"
#include "support.h"

#include "training/recipe.h"

enum { CLASSES = 3, PER_CLASS = 10, BATCH = 5, EPOCHS = 3 };

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_data *d;
    char *dir;     /* photos */
    char *run_dir; /* checkpoints */
    uint64_t stop; /* training stops at so many photos; 0: never */
    uint64_t last; /* as told last */
} scene;

scene set_up(int threads);
void tear_down(scene *s);
/* Few epochs at a high rate, with checkpoints. */
hst_train_opts fine_tune(const scene *s);

/* What a run comes to: the model's digest and its history. */
typedef struct result {
    char sha256[65];
    hst_epoch row[16];
    size_t n;
} result;

/* 0 with *out filled, or the error's code. stop: as in the scene. */
int train(scene *s, const hst_train_opts *o, uint64_t stop, result *out, hst_err *e);
result trained(scene *s, const hst_train_opts *o);

void identity(const hst_backbone *b, char hex[65]);
/* Backbone and head, bit for bit. */
void check_same_network(const hst_model *a, const hst_model *b);
#endif

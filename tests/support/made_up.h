/* made_up.h - a small network with random weights, a model on it and pictures for it, so that tests
 * run without any reference file. */
#ifndef HST_TESTS_MADE_UP_H
#define HST_TESTS_MADE_UP_H
#include "model/model.h"

/* The tensors of a MobileNetV2 as Hugging Face names them, with a classifier and counters, which
 * are no part of the backbone. Values depend on seed alone. */
typedef struct made_up {
    hst_tensor *tensor; /* name and data are their own blocks */
    size_t n;
} made_up;
made_up made_up_tensors(double width, uint64_t seed);
hst_tensor *made_up_find(const made_up *m, const char *name); /* fails the test when not there */
void made_up_free(made_up *m);

/* A temporary folder with model.safetensors and, unless it is NULL, config.json; to be freed. */
char *made_up_folder(const made_up *m, const char *config);
/* Of width 0.1 and 32 pixels. */
#define MADE_UP_CONFIG "{\"model_type\": \"mobilenet_v2\", \"image_size\": 32}"

hst_ctx *made_up_ctx(int threads);
/* The small network opened; no file of it is left. */
hst_backbone *made_up_backbone(hst_ctx *ctx, uint64_t seed);
/* Of any architecture, with made-up weights. */
hst_backbone *made_up_network(const hst_ctx *ctx, const hst_arch *arch);
/* With a random head; fails the test on any error. */
hst_model *made_up_model(const hst_backbone *b, const char *const *labels, int n);

/* [-0.5, 0.5), from key and index alone. */
double made_up_noise(uint32_t key, uint32_t i);
/* Weights for any network that let its features neither die nor grow; golden_families.py makes the
 * same. */
void made_up_fill(const hst_graph *g);
/* Then: so that many residual blocks make no chaos of rounding errors. */
void made_up_halve_gammas(const hst_graph *g);

/* A PNG file of w x h random pixels. */
void made_up_png(const char *path, int w, int h, uint64_t seed);
/* In dir a folder for each class, a, b, ..., with 0.png, 1.png, ... of random pixels; those of the
 * c-th class are w + c wide. */
void made_up_photos(const char *dir, int classes, int per_class, int w, int h);
#endif

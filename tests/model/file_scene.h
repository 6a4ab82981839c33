/* file_scene.h - a made-up model and its file, taken apart and put together again with a lie in it.
 */
#ifndef HST_TESTS_FILE_SCENE_H
#define HST_TESTS_FILE_SCENE_H
#include "model/model.h"

extern const char *const labels[3];

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_model *m;
    char *dir;
    char path[4096];
    uint8_t *bytes; /* of the saved file */
    size_t n;
} scene;

scene *set_up(void);
void tear_down(scene *s);

/* The file's tensors and metadata, to be written again with one thing changed and a right digest:
 * so the digest does not answer for the checks behind it. */
typedef struct parts {
    hst_tensors *t;
    hst_tensor named[400];
    size_t n, n_meta;
    hst_meta_pair meta[16];
} parts;

void take_apart(const scene *s, parts *p);
/* Writes them with a right digest; fails the test unless loading them is refused with `why`. Ends
 * them. */
void refused_parts(scene *s, parts *p, const char *why);
size_t tensor_at(const parts *p, const char *name);
#endif

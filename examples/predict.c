/* predict.c - name what is on photos: predict MODEL PHOTO...
 *
 *   cc predict.c -o predict $(pkg-config --cflags --libs headstart) */
#include <headstart.h>
#include <stdio.h>
#include <stdlib.h>

static void show(const hst_model *model, const float *prob, const char *path)
{
    int best = 0;
    for (int i = 1; i < hst_model_classes(model); i++)
        best = prob[i] > prob[best] ? i : best;
    printf("%s: %s %.4f\n", path, hst_model_label(model, best), prob[best]);
}

int main(int argc, char **argv)
{
    hst_err err = {0};
    hst_config cfg = hst_config_from_env();
    hst_ctx *ctx = hst_open(&cfg, &err);
    hst_model *model = ctx && argc > 1 ? hst_model_load(ctx, argv[1], &err) : NULL;
    hst_session *session = model ? hst_session_open(ctx, model, &err) : NULL;
    size_t n = model ? (size_t)hst_model_classes(model) : 0;
    float *prob = calloc(n + 1, sizeof *prob);
    int failures = session && prob ? 0 : 1;

    if (failures)
        fprintf(stderr, "predict: %s\n", argc > 2 ? err.msg : "usage: predict MODEL PHOTO...");
    for (int i = 2; i < argc && session && prob; i++) {
        if (hst_predict_file(session, argv[i], prob, n, &err) == 0)
            show(model, prob, argv[i]);
        else
            failures += fprintf(stderr, "predict: %s\n", err.msg) > 0;
    }
    free(prob);
    hst_session_free(session);
    hst_model_free(model);
    hst_close(ctx);
    return failures != 0;
}

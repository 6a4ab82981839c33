#include "model.h"

#include "photos.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int exists(const char *dir, const char *name)
{
    char path[4096];
    struct stat st;
    return (size_t)snprintf(path, sizeof path, "%s/%s", dir, name) < sizeof path &&
           stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int is_model(const char *path)
{
    static const char ending[] = ".safetensors";
    size_t n = strlen(path), e = sizeof ending - 1;
    return exists(path, "model.safetensors") || (n > e && strcmp(path + n - e, ending) == 0);
}

/* "JPEG", of a file that is a photo; else NULL. */
static const char *photo_kind(const char *path)
{
    char head[CLI_HEAD];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(head, 1, sizeof head, f) : 0;
    if (f)
        fclose(f);
    return cli_photos_kind(head, n);
}

/* Says in job->err what stands where a model should, when it is plain. */
static void explain(cli_job *job, const char *word)
{
    const char *kind = is_folder(word) ? NULL : photo_kind(word);
    const char *instead = job->v.n_words > 1 ? "; the model comes first" : ", not a model";
    char *msg = job->err.msg;
    size_t cap = sizeof job->err.msg;
    if (kind)
        snprintf(msg, cap, "%s is a photo (%s)%s", word, kind, instead);
    else if (is_folder(word) && exists(word, "checkpoint.safetensors"))
        snprintf(msg, cap,
                 "%s is the folder of a run that has not ended (headstart train --resume)", word);
    else if (is_folder(word) && !exists(word, "model.safetensors") && cli_photos_in(word))
        snprintf(msg, cap, "%s is a folder of photos%s", word, instead);
}

hst_model *cli_model_load(cli_job *job, int i)
{
    const char *word = job->v.words[i];
    char prepare[32];
    hst_model_opts o = hst_model_opts_default();
    o.labels = job->v.labels;
    o.scaling = job->v.scaling;
    o.prepare = cli_job_preparation(job, prepare, sizeof prepare);
    hst_model *m = hst_model_load_with(job->ctx, word, &o, &job->err);
    if (!m && job->err.code == HST_EMODEL)
        explain(job, word);
    if (m && hst_model_target(m) == HST_TARGET_LABELS)
        job->v.multi_label = 1;
    if (m && hst_model_target(m) == HST_TARGET_NUMBER && !job->v.target)
        job->v.target = hst_model_label(m, 0);
    return m;
}

hst_data *cli_model_photos(cli_job *job, int i)
{
    const char *word = job->v.words[i];
    hst_data_opts o = cli_job_data_opts(job);
    o.split = "none";
    o.part = job->v.part;
    hst_data *d = hst_data_open(job->ctx, word, &o, &job->err);
    if (!d && job->err.code == HST_EDATA && is_model(word))
        snprintf(job->err.msg, sizeof job->err.msg,
                 "%s is a model; the folder of photos comes last", word);
    return d;
}

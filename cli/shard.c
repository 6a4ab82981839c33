#include "shard.h"

#include "photos.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096, JOB_BYTES = 256 };

/* All that rows depend on but the photos. */
static void tell_job(const cli_job *job, const hst_model *m, const char *rows, char out[JOB_BYTES])
{
    const cli_values *v = &job->v;
    const char *id = hst_model_record(m, "content_sha256");
    if (!id)
        id = hst_backbone_describe(hst_model_backbone(m))->sha256;
    snprintf(out, JOB_BYTES, "predict by %.16s, %s, %s, top %d, threshold %g%s%s%s%s%s", id,
             hst_cpu(job->ctx), rows, v->top, v->threshold, v->no_unknown ? ", no unknown" : "",
             v->prepare ? ", " : "", v->prepare ? v->prepare : "", v->fit ? ", " : "",
             v->fit ? v->fit : "");
}

/* Every photo of the command line. */
static int list(cli_shard_photos *s, cli_job *job)
{
    char path[PATH_BYTES];
    cli_photos p;
    int rc = cli_photos_open(&p, job->v.words + 1, job->v.n_words - 1, NULL) ? -1 : 1, status = 0;
    if (rc < 0)
        cli_error("out of memory");
    p.ctx = job->ctx;
    while (rc > 0 && (rc = cli_photos_next(&p, path, sizeof path)) > 0)
        if (hst_shard_list(s->shard, path, &job->err))
            rc = -2;
    cli_photos_close(&p);
    if (rc == -1)
        job->err.code = HST_ESTOPPED; /* what else it may be was told */
    if (rc < 0)
        status = cli_job_fail(job);
    return status;
}

int cli_shard_open(cli_shard_photos *s, cli_job *job, const hst_model *m, const char *rows)
{
    char what[JOB_BYTES];
    const cli_part part = job->v.shard;
    *s = (cli_shard_photos){.end = SIZE_MAX};
    if (!part.count || hst_process_rank(job->ctx) > 0) /* the first process has the photos */
        return CLI_OK;
    tell_job(job, m, rows, what);
    s->shard = hst_shard_new(part.index, part.count, what, &job->err);
    const int status = s->shard ? list(s, job) : cli_job_fail(job);
    if (status)
        return status;
    return hst_shard_range(s->shard, &s->first, &s->end, &job->err) ? cli_job_fail(job) : CLI_OK;
}

void cli_shard_close(cli_shard_photos *s)
{
    hst_shard_free(s->shard);
    *s = (cli_shard_photos){0};
}

int cli_shard_takes(cli_shard_photos *s)
{
    const size_t at = s->at++;
    return at >= s->end ? -1 : at >= s->first;
}

int cli_shard_end(cli_shard_photos *s, cli_job *job, int headers)
{
    if (!s->shard)
        return CLI_OK;
    if (s->at < s->end) {
        cli_error("photos went away meanwhile: %zu are left of those before %zu", s->at, s->end);
        return CLI_BAD_INPUT;
    }
    const char *line = hst_shard_line(s->shard, headers, &job->err);
    if (!line)
        return cli_job_fail(job);
    cli_out_printf(&job->out, "%s\n", line);
    return CLI_OK;
}

int cli_shard_name(const char *path, cli_part part, char *out, size_t cap)
{
    const char *base = strrchr(path, '/'), *dot = strrchr(base ? base : path, '.');
    const int stem = (int)(dot ? dot - path : (ptrdiff_t)strlen(path));
    const int n =
        snprintf(out, cap, "%.*s-%d-of-%d%s", stem, path, part.index, part.count, dot ? dot : "");
    return n >= 0 && (size_t)n < cap;
}

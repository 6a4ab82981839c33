#include "job.h"

#include "signals.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Variables that hold a number: 0, or the exit status after a line that names the wrong one. */
static int check_environment(void)
{
    static const struct {
        const char *name;
        long least, most;
    } numbers[] = {{"HEADSTART_THREADS", 1, 1024},
                   {"HEADSTART_RETRY_MS", 0, 1000000},
                   {"HEADSTART_STALL_S", 0, 100000},
                   {"HEADSTART_PATIENCE_S", 0, 100000}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *text = getenv(numbers[i].name);
        if (!text || !*text)
            continue;
        const int digits = strspn(text, "0123456789") == strlen(text) && strlen(text) < 10;
        const long n = digits ? strtol(text, NULL, 10) : -1;
        if (n >= numbers[i].least && n <= numbers[i].most)
            continue;
        cli_error("%s wants a whole number from %ld to %ld, not '%s'", numbers[i].name,
                  numbers[i].least, numbers[i].most, text);
        return CLI_USAGE;
    }
    return 0;
}

/* More threads than processors wait for each other. */
static int capped(cli_job *job, int threads)
{
    const int most = hst_processors();
    if (threads <= most)
        return threads;
    cli_display_say(&job->display, "%d threads asked for: %d used, one for each processor", threads,
                    most);
    return most;
}

int cli_job_open(cli_job *job)
{
    hst_config c = hst_config_from_env();
    const int status = check_environment();
    if (status)
        return status;
    c.threads = capped(job, job->v.threads ? job->v.threads : c.threads);
    if (c.ranks > 1 && !job->command->shares) {
        cli_error("headstart %s is for one process, and %d were started: features, predict, eval "
                  "and train share their work",
                  job->command->name, c.ranks);
        return CLI_USAGE;
    }
    c.offline |= job->v.offline;
    c.no_store |= job->v.no_store;
    c.rehash = job->v.rehash;
    if (job->v.store_max)
        c.store_max_bytes = job->v.store_max;
    if (c.ranks < 2 || c.rank == 0) { /* what is told is told once */
        c.log = cli_display_log;
        c.log_arg = &job->display;
        c.progress = cli_display_progress;
        c.progress_arg = &job->display;
    }
    job->keeps = c.cache_dir && !c.no_store;
    job->ctx = hst_open(&c, &job->err);
    if (!job->ctx)
        return cli_job_fail(job);
    if (job->shown >= 0)
        cli_hide(NULL);
    return 0;
}

void cli_job_tell_late(const cli_job *job)
{
    for (int i = 0; i < 30 && !cli_signals_caught(); i++)
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    if (!cli_signals_caught())
        cli_tell_hidden(job->shown);
}

int cli_job_fail(cli_job *job)
{
    cli_display_close(&job->display);
    if (job->ctx && !hst_give_up(job->ctx, &job->err))
        return cli_exit_status(job->err.code);
    if (job->ctx)
        cli_show(job->shown);
    if (job->err.code != HST_ESTOPPED) {
        cli_error("%s", job->err.msg);
        return cli_exit_status(job->err.code);
    }
    if (job->out.error) /* it was us who stopped; cli_out_close says why */
        return CLI_OK;
    if (job->command->goes_on && job->keeps)
        cli_error("interrupted; %s is kept: the same command goes on", job->command->goes_on);
    else
        cli_error("interrupted");
    return 128 + (cli_signals_caught() ? cli_signals_caught() : SIGINT);
}

/* In small letters, without what is written in more than one way. */
static void fold(const char *name, size_t n, char out[64])
{
    size_t at = 0;
    for (size_t i = 0; i < n && at < 63; i++)
        if (!strchr("-_ ", name[i]))
            out[at++] = (char)tolower((unsigned char)name[i]);
    out[at] = 0;
}

/* The short name that name[n] may stand for: one near it, one that begins so, one that has it. */
static const char *near_backbone(const cli_job *job, const char *name, size_t n)
{
    enum { MOST = 128, LEAST = 4 };
    char folded[MOST][64], typed[64];
    const char *names[MOST], *near, *short_name;
    size_t count = 0;
    fold(name, n, typed);
    for (; count < MOST && (short_name = hst_backbone_name(job->ctx, (int)count, NULL)); count++) {
        fold(short_name, strlen(short_name), folded[count]);
        names[count] = folded[count];
    }
    near = cli_nearest(typed, names, count);
    for (int anywhere = 0; !near && anywhere < 2 && strlen(typed) >= LEAST; anywhere++)
        for (size_t i = 0; !near && i < count; i++) {
            const char *at = strstr(names[i], typed);
            near = at && (anywhere || at == names[i]) ? names[i] : NULL;
        }
    for (size_t i = 0; near && i < count; i++)
        if (names[i] == near)
            return hst_backbone_name(job->ctx, (int)i, NULL);
    return NULL;
}

void cli_job_suggest(cli_job *job, const char *name)
{
    static const char unknown[] = "unknown backbone '";
    const size_t prefix = sizeof unknown - 1;
    if (job->err.code != HST_EARG || strncmp(job->err.msg, unknown, prefix) != 0)
        return;
    for (const char *part = name; part;) { /* of several, the one that the message is about */
        const size_t n = strcspn(part, "+");
        const char *near = NULL;
        if (strncmp(job->err.msg + prefix, part, n) == 0 && job->err.msg[prefix + n] == '\'')
            near = near_backbone(job, part, n);
        if (near) {
            snprintf(job->err.msg, sizeof job->err.msg,
                     "unknown backbone '%.*s'; did you mean %s? (headstart backbones list)", (int)n,
                     part, near);
            return;
        }
        part = part[n] ? part + n + 1 : NULL;
    }
}

const char *cli_job_preparation(const cli_job *job, char *text, size_t cap)
{
    if (!job->v.fit)
        return job->v.prepare;
    snprintf(text, cap, "%s,%s", job->v.prepare ? job->v.prepare : "", job->v.fit);
    return text;
}

static hst_backbone *open_in(cli_job *job, const char *name, const char *precision)
{
    hst_backbone_opts o = hst_backbone_opts_default();
    o.precision = precision;
    o.scaling = job->v.scaling;
    o.image_width_px = job->v.image.width;
    o.image_height_px = job->v.image.height;
    o.views = job->v.views;
    o.pool = job->v.pool;
    hst_backbone *b = hst_backbone_open_with(job->ctx, name, &o, &job->err);
    if (!b)
        cli_job_suggest(job, name);
    return b;
}

int cli_job_is_auto(const cli_job *job)
{
    return job->v.precision && strcmp(job->v.precision, "auto") == 0;
}

hst_backbone *cli_job_backbone(cli_job *job, const char *name)
{
    return open_in(job, name, cli_job_is_auto(job) ? "fp32" : job->v.precision);
}

/* b, or NULL where it is that or its ranges cannot be found. */
static hst_backbone *calibrated(cli_job *job, hst_backbone *b, const hst_data *d)
{
    char prepare[32];
    if (!b ||
        hst_backbone_calibrate(job->ctx, b, d, cli_job_preparation(job, prepare, sizeof prepare),
                               &job->err) == 0)
        return b;
    hst_backbone_free(b);
    return NULL;
}

hst_backbone *cli_job_backbone_for(cli_job *job, const char *name, const hst_data *d)
{
    char prepare[32];
    hst_precision_choice c = {.size = sizeof c};
    hst_backbone *b = cli_job_backbone(job, name);
    if (!b || !cli_job_is_auto(job))
        return calibrated(job, b, d);
    if (hst_precision_choose(job->ctx, b, d, cli_job_preparation(job, prepare, sizeof prepare), &c,
                             &job->err)) {
        hst_backbone_free(b);
        return NULL;
    }
    cli_display_say(&job->display, "precision %s: %s", c.precision, c.words);
    if (strcmp(c.precision, hst_backbone_describe(b)->precision) == 0)
        return b;
    hst_backbone_free(b);
    return calibrated(job, open_in(job, name, c.precision), d);
}

hst_data_opts cli_job_data_opts(const cli_job *job)
{
    const cli_values *v = &job->v;
    hst_data_opts o = hst_data_opts_default();
    o.path_column = v->path_column;
    o.label_column = v->label_column;
    o.split_column = v->split_column;
    o.images = v->images;
    o.label_from = v->label_from;
    o.multi_label = v->multi_label;
    o.label_separator = v->separator;
    o.target = v->target;
    return o;
}

int cli_job_usage(const cli_job *job, const char *why)
{
    cli_error("%s (headstart %s --help)", why, job->command->name);
    return CLI_USAGE;
}

int cli_job_alone(const cli_job *job, int status)
{
    static const int codes[] = {
#define X(name, value, exit_code, text) name,
        HST_ERRORS(X)
#undef X
    };
    hst_err why = {.msg = "the first process has refused"};
    for (size_t i = 0; status && !why.code && i < sizeof codes / sizeof *codes; i++)
        if (cli_exit_status(codes[i]) == status)
            why.code = codes[i];
    if (why.code && job->ctx)
        (void)hst_give_up(job->ctx, &why);
    return status;
}

static int unknown_action(const cli_job *job)
{
    enum { MOST = 16 };
    const char *names[MOST];
    char list[256] = "";
    size_t n = 0, at = 0;
    for (const cli_action *a = job->command->actions; a->name && n < MOST; a++) {
        const char *comma = n == 0 ? "" : a[1].name ? ", " : " and ";
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", comma, a->name);
        names[n++] = a->name;
    }
    const char *near = cli_nearest(job->v.words[0], names, n);
    if (near)
        cli_error("unknown action '%s'; did you mean '%s'?", job->v.words[0], near);
    else
        cli_error("%s knows %s, not '%s' (headstart %s --help)", job->command->name, list,
                  job->v.words[0], job->command->name);
    return CLI_USAGE;
}

int cli_job_act(cli_job *job)
{
    const cli_action *a = job->command->actions;
    int n = job->v.n_words - 1;
    while (a->name && strcmp(a->name, job->v.words[0]) != 0)
        a++;
    if (!a->name)
        return unknown_action(job);
    if (n > (a->arg != NULL) || n < (a->arg && a->arg[0] != '[')) {
        cli_error("too %s was given: headstart %s %s%s%s", n ? "much" : "little",
                  job->command->name, a->name, a->arg ? " " : "", a->arg ? a->arg : "");
        return CLI_USAGE;
    }
    int status = cli_job_open(job);
    return status ? status : a->run(job);
}

void cli_job_say_stored(cli_job *job, size_t stored, size_t n)
{
    if (stored)
        cli_display_say(&job->display, "features of %zu of %zu photos were in the store", stored,
                        n);
}

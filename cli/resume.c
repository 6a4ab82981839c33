#include "resume.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_CAP = 4096 };

/* Of this run alone, not of the work. */
static const char *const passing[] = {"output",   "resume", "threads", "store-max", "json", "quiet",
                                      "no-store", "rehash", "offline", "help",      "color"};
/* Texts that may be the name of a file or folder. */
static const char *const paths[] = {"backbone", "val", "images"};

static int one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return 1;
    return 0;
}

static int join(char *path, const char *folder, const char *name)
{
    int n = snprintf(path, PATH_CAP, "%s/%s", folder, name);
    return n > 0 && n < PATH_CAP;
}

static int exists(const char *folder, const char *name)
{
    char path[PATH_CAP];
    struct stat st;
    return join(path, folder, name) && stat(path, &st) == 0;
}

int cli_resume_possible(const char *folder)
{
    return exists(folder, "checkpoint.safetensors");
}

/* ---- remembering ---- */

/* The absolute path where there is such a file, else the text itself. */
static json_t *path_text(const char *text)
{
    char *full = realpath(text, NULL);
    json_t *o = json_string(full ? full : text);
    free(full);
    return o;
}

/* The text of the i-th option where it was typed and belongs to the work; else NULL. */
static const char *lasting_text(const cli_job *job, size_t i, cli_option *o)
{
    int passes = !cli_options_at(job->command, i, o) ||
                 one_of(o->name, passing, sizeof passing / sizeof *passing);
    return passes ? NULL : job->v.text[i];
}

/* "--name=text", or "--name" of a flag. NULL: no UTF-8, or no memory. */
static json_t *option_word(const cli_option *o, const char *text)
{
    int path = one_of(o->name, paths, sizeof paths / sizeof *paths);
    if (o->kind == CLI_FLAG)
        return json_sprintf("--%s", o->name);
    json_t *value = path ? path_text(text) : json_string(text);
    json_t *word = value ? json_sprintf("--%s=%s", o->name, json_string_value(value)) : NULL;
    json_decref(value);
    return word;
}

/* Every option that was typed. NULL: one is not UTF-8, or no memory. */
static json_t *option_words(const cli_job *job)
{
    json_t *list = json_array();
    cli_option o;
    int ok = list != NULL;
    for (size_t i = 0; ok && i < CLI_OPTIONS_MAX; i++) {
        const char *text = lasting_text(job, i, &o);
        json_t *word = text ? option_word(&o, text) : NULL;
        ok = !text || (word && json_array_append_new(list, word) == 0);
    }
    if (ok)
        return list;
    json_decref(list);
    return NULL;
}

static int write_whole(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left) {
        ssize_t put = write(fd, text, left);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return 0;
        text += put;
        left -= (size_t)put;
    }
    return fsync(fd) == 0;
}

/* Appears whole or not at all; 0: it could not be written. */
static int write_text(const char *folder, const char *text)
{
    char path[PATH_CAP], temporary[PATH_CAP];
    if (!join(path, folder, "command.json") || !join(temporary, folder, "command.json.tmp"))
        return 0;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return 0;
    int ok = write_whole(fd, text);
    ok = close(fd) == 0 && ok;
    if (ok && rename(temporary, path) == 0)
        return 1;
    unlink(temporary);
    return 0;
}

/* What tells one model file of the folder from another: its size and a sum over its bytes (FNV-1a,
 * 64 bits); "": there is none. */
static void model_mark(const char *folder, char mark[40])
{
    char path[PATH_CAP];
    uint8_t bytes[1 << 14];
    uint64_t sum = UINT64_C(14695981039346656037), size = 0;
    FILE *f = join(path, folder, "model.safetensors") ? fopen(path, "rb") : NULL;
    mark[0] = 0;
    if (!f)
        return;
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0; size += n)
        for (size_t i = 0; i < n; i++)
            sum = (sum ^ bytes[i]) * UINT64_C(1099511628211);
    fclose(f);
    snprintf(mark, 40, "%016llx-%llu", (unsigned long long)sum, (unsigned long long)size);
}

int cli_resume_remember(const cli_job *job, const char *folder)
{
    char mark[40];
    model_mark(folder, mark);
    json_t *o = json_object();
    json_t *data = path_text(job->v.words[0]), *words = option_words(job);
    char *text = NULL;
    if (o && data && words && json_object_set(o, "data", data) == 0 &&
        json_object_set(o, "options", words) == 0 &&
        json_object_set_new(o, "model_before", json_string(mark)) == 0)
        text = json_dumps(o, JSON_INDENT(2));
    int written = text && write_text(folder, text);
    free(text);
    json_decref(words);
    json_decref(data);
    json_decref(o);
    return written;
}

void cli_resume_tell(const cli_job *job, const char *folder, int remembered)
{
    cli_option o;
    fputs("headstart: to go on: ", stderr);
    cli_text_quote(stderr, job->program);
    fputs(" train ", stderr);
    for (size_t i = 0; !remembered && i < CLI_OPTIONS_MAX; i++) {
        const char *text = lasting_text(job, i, &o);
        if (!text)
            continue;
        fprintf(stderr, "--%s ", o.name);
        if (o.kind == CLI_FLAG)
            continue;
        cli_text_quote(stderr, text);
        putc(' ', stderr);
    }
    fputs("--resume ", stderr);
    cli_text_quote(stderr, folder);
    if (!remembered) {
        fputs(" -- ", stderr);
        cli_text_quote(stderr, job->v.words[0]);
    }
    putc('\n', stderr);
}

void cli_resume_forget(const char *folder)
{
    char path[PATH_CAP];
    if (join(path, folder, "command.json"))
        unlink(path);
}

/* ---- recalling ---- */

/* What is typed now and has no place in the remembered options. */
static void keep_passing(cli_values *to, const cli_values *from)
{
    to->resume = from->resume;
    to->threads = from->threads;
    to->json = from->json;
    to->color = from->color;
    to->quiet = from->quiet;
    to->no_store = from->no_store;
    to->rehash = from->rehash;
    to->store_max = from->store_max;
}

/* Words of then, words of now, folder: read again as one command line. */
static int read_again(cli_job *job, json_t *then, const char *data)
{
    json_t *list = json_object_get(then, "options"), *now = option_words(job);
    size_t n = 0, n_then = json_array_size(list), n_now = json_array_size(now);
    char **argv = now ? calloc(n_then + n_now + 2, sizeof *argv) : NULL;
    if (!argv) {
        json_decref(now);
        cli_error("out of memory, or an option that is not UTF-8");
        return cli_exit_status(HST_EMEM);
    }
    json_array_extend(list, now);
    for (size_t i = 0; i < n_then + n_now; i++) {
        const char *word = json_string_value(json_array_get(list, i));
        if (word)
            argv[n++] = (char *)(uintptr_t)word;
    }
    argv[n++] = (char *)(uintptr_t) "--";
    argv[n++] = (char *)(uintptr_t)data;
    cli_values before = job->v;
    int status = cli_options_parse(job->command, (int)n, argv, &job->v);
    keep_passing(&job->v, &before);
    free(before.words);
    free(argv);
    json_decref(now);
    return status;
}

static int damaged(const char *path)
{
    cli_error("%s is damaged: type the whole command with --resume again", path);
    return CLI_BAD_INPUT;
}

static int recall(cli_job *job, json_t *then, const char *path)
{
    const char *data = json_string_value(json_object_get(then, "data"));
    if (!data || !json_is_array(json_object_get(then, "options")))
        return damaged(path);
    return read_again(job, then, job->v.n_words ? job->v.words[0] : data);
}

/* The model comes last; what a run was begun with may outlive that when the program was killed
 * then. The model that was there when the run began is of an earlier run in the same folder. */
static int is_complete(const char *run, const json_t *then)
{
    char mark[40];
    const char *before = json_string_value(json_object_get(then, "model_before"));
    if (!exists(run, "model.safetensors") || cli_resume_possible(run))
        return 0;
    if (!exists(run, "command.json"))
        return 1;
    model_mark(run, mark);
    return !before || strcmp(mark, before) != 0;
}

/* A file of a run stands for its folder. */
static int settle_run(cli_job *job)
{
    struct stat st;
    const char *run = job->v.resume, *slash = strrchr(run, '/'), *name = slash ? slash + 1 : run;
    if (stat(run, &st) != 0 || S_ISDIR(st.st_mode))
        return CLI_OK;
    if (strcmp(name, "model.safetensors") != 0 && strcmp(name, "checkpoint.safetensors") != 0) {
        cli_error("%s is a file; --resume wants the folder of a run", run);
        return CLI_BAD_INPUT;
    }
    const size_t n = slash ? (size_t)(slash - run) : 0;
    if (n >= sizeof job->run_folder)
        return CLI_BAD_INPUT;
    snprintf(job->run_folder, sizeof job->run_folder, "%.*s", (int)n, run);
    if (n == 0)
        snprintf(job->run_folder, sizeof job->run_folder, "%s", slash ? "/" : ".");
    job->v.resume = job->run_folder;
    return CLI_OK;
}

int cli_resume_recall(cli_job *job, json_t **texts, int *complete)
{
    const int status = settle_run(job);
    const char *run = job->v.resume;
    if (status)
        return status;
    char path[PATH_CAP];
    *texts = NULL;
    *complete = 0;
    if (job->v.output) {
        cli_error("--resume names the run folder already: leave -o out");
        return CLI_USAGE;
    }
    if (access(run, W_OK | X_OK) != 0 || !join(path, run, "command.json")) {
        cli_error("run folder %s cannot be used: %s", run, strerror(errno));
        return CLI_BAD_INPUT;
    }
    *texts = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    *complete = is_complete(run, *texts);
    if (*complete)
        return CLI_OK;
    if (*texts)
        return recall(job, *texts, path);
    if (job->v.n_words)
        return CLI_OK;
    if (exists(run, "command.json"))
        return damaged(path);
    cli_error("%s holds no run to go on with: type the whole command with --resume", run);
    return CLI_BAD_INPUT;
}

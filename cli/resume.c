#include "resume.h"

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
static const char *const passing[] = {"output", "resume", "threads", "store-max"};
/* Texts that may be the name of a file or folder. */
static const char *const paths[] = {"backbone", "val"};

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

/* ---- remembering -------------------------------------------------------------------------------
 */

/* The absolute path where there is such a file, else the text itself. */
static json_t *path_text(const char *text)
{
    char *full = realpath(text, NULL);
    json_t *o = json_string(full ? full : text);
    free(full);
    return o;
}

/* "--name=text" of every option that was typed. NULL: one is not UTF-8, or no memory. */
static json_t *option_words(const cli_job *job)
{
    json_t *list = json_array();
    const cli_option *o;
    int ok = list != NULL;
    for (size_t i = 0; ok && i < CLI_OPTIONS_MAX && (o = cli_options_at(job->command, i)); i++) {
        const char *text = job->v.text[i];
        if (!text || one_of(o->name, passing, sizeof passing / sizeof *passing))
            continue;
        int path = one_of(o->name, paths, sizeof paths / sizeof *paths);
        json_t *value = path ? path_text(text) : json_string(text);
        json_t *word = value ? json_sprintf("--%s=%s", o->name, json_string_value(value)) : NULL;
        json_decref(value);
        ok = word && json_array_append_new(list, word) == 0;
    }
    if (ok && job->v.fine_tune)
        ok = json_array_append_new(list, json_string("--fine-tune")) == 0;
    if (ok)
        return list;
    json_decref(list);
    return NULL;
}

/* Appears whole or not at all. */
static void write_text(const char *folder, const char *text)
{
    char path[PATH_CAP], temporary[PATH_CAP];
    size_t n = strlen(text);
    if (!join(path, folder, "command.json") || !join(temporary, folder, "command.json.tmp"))
        return;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    int ok = write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (!ok || rename(temporary, path) != 0)
        unlink(temporary);
}

void cli_resume_remember(const cli_job *job, const char *folder)
{
    json_t *o = json_object();
    json_t *data = path_text(job->v.words[0]), *words = option_words(job);
    char *text = NULL;
    if (o && data && words && json_object_set(o, "data", data) == 0 &&
        json_object_set(o, "options", words) == 0)
        text = json_dumps(o, JSON_INDENT(2));
    if (text)
        write_text(folder, text);
    free(text);
    json_decref(words);
    json_decref(data);
    json_decref(o);
}

void cli_resume_forget(const char *folder)
{
    char path[PATH_CAP];
    if (join(path, folder, "command.json"))
        unlink(path);
}

/* ---- recalling ---------------------------------------------------------------------------------
 */

/* What is typed now and has no place in the remembered options. */
static void keep_passing(cli_values *to, const cli_values *from)
{
    to->resume = from->resume;
    to->threads = from->threads;
    to->json = from->json;
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

static int recall(cli_job *job, json_t *then, const char *path)
{
    const char *data = json_string_value(json_object_get(then, "data"));
    if (!data || !json_is_array(json_object_get(then, "options"))) {
        cli_error("%s is damaged: type the whole command with --resume again", path);
        return CLI_BAD_INPUT;
    }
    return read_again(job, then, job->v.n_words ? job->v.words[0] : data);
}

int cli_resume_recall(cli_job *job, json_t **texts, int *complete)
{
    const char *run = job->v.resume;
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
    if (*texts)
        return recall(job, *texts, path);
    *complete = exists(run, "model.safetensors");
    if (*complete || job->v.n_words)
        return CLI_OK;
    cli_error("%s holds no run to go on with: type the whole command with --resume", run);
    return CLI_BAD_INPUT;
}

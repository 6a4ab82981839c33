#include "occasion.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static char *command_line(const cli_job *job)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    if (!to)
        return NULL;
    fputs("headstart", to);
    for (int i = 1; i < job->argc; i++) {
        fputc(' ', to);
        cli_text_quote(to, job->argv[i]);
    }
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

cli_occasion cli_occasion_now(const cli_job *job)
{
    cli_occasion o = {.command = command_line(job)};
    struct tm t;
    time_t now = time(NULL);
    if (now == (time_t)-1 || !gmtime_r(&now, &t) ||
        strftime(o.date, sizeof o.date, "%Y-%m-%d %H:%M UTC", &t) == 0)
        o.date[0] = 0;
    return o;
}

void cli_occasion_clear(cli_occasion *o)
{
    free(o->command);
}

hst_report_opts cli_occasion_opts(const cli_occasion *o)
{
    hst_report_opts opts = hst_report_opts_default();
    opts.date = o->date[0] ? o->date : NULL;
    opts.command = o->command;
    return opts;
}

#include "output.h"

#include "headstart.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

cli_out cli_out_open(void)
{
    struct stat st;
    int file = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);
    return (cli_out){.at_once = !file};
}

static void keep_error(cli_out *o, int failed)
{
    if (failed && !o->error)
        o->error = errno ? errno : EIO;
}

void cli_out_puts(cli_out *o, const char *s)
{
    if (!o->error)
        keep_error(o, fputs(s, stdout) < 0);
}

void cli_out_printf(cli_out *o, const char *fmt, ...)
{
    va_list ap;
    if (o->error)
        return;
    va_start(ap, fmt);
    keep_error(o, vfprintf(stdout, fmt, ap) < 0);
    va_end(ap);
}

const char *cli_paint(const cli_out *o, enum cli_colour c)
{
    static const char *const codes[] = {[CLI_PLAIN] = "\033[0m",
                                        [CLI_GOOD] = "\033[32m",
                                        [CLI_BAD] = "\033[1;31m",
                                        [CLI_DOUBT] = "\033[33m",
                                        [CLI_STRONG] = "\033[1m"};
    return o->colour ? codes[c] : "";
}

int cli_wants_colour(const char *when)
{
    const char *none = getenv("NO_COLOR");
    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    if (hst_config_from_env().ranks > 1) /* mpirun's own terminal, wherever it writes to */
        return 0;
    return !(none && *none) && cli_text_is_terminal(STDOUT_FILENO);
}

int cli_out_row(cli_out *o)
{
    if (o->at_once && !o->error)
        keep_error(o, fflush(stdout) != 0);
    return o->error ? -1 : 0;
}

int cli_out_close(cli_out *o, int status)
{
    if (!o->finished && !o->error)
        keep_error(o, fflush(stdout) != 0);
    /* Some file systems tell only at close that there was no space. */
    if (!o->finished && fclose(stdout) != 0)
        keep_error(o, 1);
    o->finished = 1;
    if (status != CLI_OK || !o->error)
        return status;
    if (o->error == EPIPE)
        return CLI_NO_READER;
    cli_error("standard output cannot be written: %s", strerror(o->error));
    return CLI_NO_SPACE;
}

void cli_error(const char *fmt, ...)
{
    char raw[2048], line[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    cli_text_clean(line, sizeof line, raw);
    fprintf(stderr, "headstart: %s\n", line);
}

int cli_exit_status(int code)
{
    switch (code) {
    case HST_OK:
        return CLI_OK;
#define X(name, value, exit_code, text)                                                            \
    case name:                                                                                     \
        return exit_code;
        HST_ERRORS(X)
#undef X
    default:
        return 1;
    }
}

void cli_hide(int *shown)
{
    FILE *kept = shown ? tmpfile() : NULL;
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (shown)
        *shown = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
        dup2(kept ? fileno(kept) : nowhere, STDERR_FILENO);
        close(nowhere);
    }
    if (kept)
        fclose(kept);
}

void cli_tell_hidden(int shown)
{
    char text[4096];
    const ssize_t n = pread(STDERR_FILENO, text, sizeof text, 0);
    for (ssize_t at = 0, put = 1; at < n && put > 0; at += put)
        put = write(shown, text + at, (size_t)(n - at));
}

void cli_show(int shown)
{
    if (shown >= 0)
        dup2(shown, STDERR_FILENO);
}

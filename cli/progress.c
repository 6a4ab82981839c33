#include "progress.h"

#include "signals.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A rate over less time says little; a shorter phase is over before one asks. */
static const double RATE_FROM_S = 0.2, WORTH_A_LINE_S = 2;

void cli_display_open(cli_display *d, int quiet)
{
    *d = (cli_display){.quiet = quiet, .terminal = isatty(STDERR_FILENO)};
    pthread_mutex_init(&d->lock, NULL);
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

/* Takes the unfinished line off the terminal. */
static void wipe(cli_display *d)
{
    if (d->drawn)
        fputs("\r\033[K", stderr);
    d->drawn = 0;
}

static void format_time(char *out, size_t cap, double s)
{
    unsigned long t = s < 1e8 ? (unsigned long)(s + 0.5) : 100000000ul;
    if (t >= 3600)
        snprintf(out, cap, "%lu:%02lu:%02lu", t / 3600, t / 60 % 60, t % 60);
    else
        snprintf(out, cap, "%lu:%02lu", t / 60, t % 60);
}

/* Thousandths, for text without the locale's comma; rounded. */
static unsigned long thousandths(double v)
{
    return v < 1e6 ? (unsigned long)(1000 * v + 0.5) : 1000000000ul;
}

/* What is counted, as people read it: photos, or bytes as MiB. */
static void format_count(char out[32], const hst_progress *p, double n)
{
    if (p->in_bytes)
        snprintf(out, 32, "%.1f", n / (1 << 20));
    else
        snprintf(out, 32, "%.0f", n);
}

/* "features  123/600  20 %" */
static int draw_count(char *line, size_t cap, const char *what, const hst_progress *p)
{
    char done[32], total[32];
    const char *unit = p->in_bytes ? " MiB" : "";
    format_count(done, p, (double)p->done);
    format_count(total, p, (double)p->total);
    if (p->total > 0)
        return snprintf(line, cap, "%s  %s/%s%s  %d %%", what, done, total, unit,
                        (int)(100.0 * (double)p->done / (double)p->total));
    if (p->done > 0)
        return snprintf(line, cap, "%s  %s%s", what, done, unit);
    return snprintf(line, cap, "%s ...", what);
}

/* "features  123/600  20 %  48.8/s  0:10 left", while a network learns with "  loss 0.512  accuracy
 * 0.875"; never wider than the terminal. */
static void draw(cli_display *d)
{
    char line[256], left[32], cut[256];
    const hst_progress *p = &d->at;
    int n = draw_count(line, sizeof line, d->what, p);
    if (p->per_s > 0 && p->total > p->done && n > 0 && (size_t)n < sizeof line) {
        format_time(left, sizeof left, (double)(p->total - p->done) / p->per_s);
        n += snprintf(line + n, sizeof line - (size_t)n, "  %.1f%s/s  %s left",
                      p->per_s / (p->in_bytes ? 1 << 20 : 1), p->in_bytes ? " MiB" : "", left);
    }
    if (p->loss >= 0 && p->accuracy >= 0 && n > 0 && (size_t)n < sizeof line) {
        unsigned long loss = thousandths(p->loss), accuracy = thousandths(p->accuracy);
        snprintf(line + n, sizeof line - (size_t)n, "  loss %lu.%03lu  accuracy %lu.%03lu",
                 loss / 1000, loss % 1000, accuracy / 1000, accuracy % 1000);
    }
    int columns = terminal_columns() - 1; /* the last column would make some terminals wrap */
    cli_text_shorten(cut, sizeof cut, line, columns < 5 ? 5 : columns);
    fprintf(stderr, "\r\033[K%s", cut);
    fflush(stderr);
    d->drawn = 1;
}

/* The line that stays of a phase; a short one that counts no photos leaves none. */
static void end_phase(cli_display *d)
{
    if (!d->running)
        return;
    d->running = 0;
    wipe(d);
    int photos = strcmp(d->what, "features") == 0; /* others count steps of their own */
    int training = strcmp(d->what, "training") == 0;
    if (strcmp(d->what, "validation") == 0 || (training && d->at.done < d->at.total))
        return; /* once an epoch, which has a line */
    double seconds = d->at.per_s > 0 ? (double)d->at.done / d->at.per_s : 0;
    if (photos && seconds >= RATE_FROM_S)
        fprintf(stderr, "%s: %llu photos in %.1f s (%.*f a second)\n", d->what,
                (unsigned long long)d->at.done, seconds, d->at.per_s < 10, d->at.per_s);
    else if (photos)
        fprintf(stderr, "%s: %llu photos\n", d->what, (unsigned long long)d->at.done);
    else if (training)
        fprintf(stderr, "%s: %llu photos (%.1f a second)\n", d->what,
                (unsigned long long)d->at.done, d->at.per_s);
    else if (seconds >= WORTH_A_LINE_S)
        fprintf(stderr, "%s: %.1f s\n", d->what, seconds);
}

void cli_display_close(cli_display *d)
{
    pthread_mutex_lock(&d->lock);
    end_phase(d);
    pthread_mutex_unlock(&d->lock);
}

int cli_display_progress(void *arg, const hst_progress *p)
{
    cli_display *d = arg;
    if (d->quiet)
        return cli_signals_caught() != 0;
    pthread_mutex_lock(&d->lock);
    int last = p->total > 0 && p->done >= p->total;
    int same = strncmp(d->what, p->what, sizeof d->what - 1) == 0;
    if (!same)
        end_phase(d);
    if (!same || !last || d->running) { /* a second report of an end is no news */
        cli_text_clean(d->what, sizeof d->what, p->what);
        d->at = *p;
        d->running = 1;
        if (last)
            end_phase(d);
        else if (d->terminal)
            draw(d);
    }
    pthread_mutex_unlock(&d->lock);
    return cli_signals_caught() != 0;
}

void cli_display_log(void *arg, int level, const char *line)
{
    cli_display *d = arg;
    if (d->quiet && level < HST_LOG_WARN)
        return;
    pthread_mutex_lock(&d->lock);
    wipe(d);
    fprintf(stderr, "%s%s\n", level >= HST_LOG_WARN ? "headstart: warning: " : "", line);
    pthread_mutex_unlock(&d->lock);
}

void cli_display_say(cli_display *d, const char *fmt, ...)
{
    char raw[2048], line[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    cli_text_clean(line, sizeof line, raw);
    cli_display_log(d, HST_LOG_INFO, line);
}

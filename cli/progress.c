#include "progress.h"

#include "output.h"
#include "signals.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A rate over less time says little; a shorter phase is over before one asks. What is drawn is
 * drawn so often, and where lines can only be added, one is so often. */
static const double RATE_FROM_S = 0.2, WORTH_A_LINE_S = 2, DRAW_S = 0.1, ADD_S = 10;

void cli_display_open(cli_display *d, int quiet)
{
    *d = (cli_display){.quiet = quiet,
                       .terminal = cli_text_is_terminal(STDERR_FILENO),
                       .dumb = isatty(STDERR_FILENO) && !cli_text_is_terminal(STDERR_FILENO)};
    pthread_mutex_init(&d->lock, NULL);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
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

/* What a progress line is made of, in this order. */
enum { WHAT, COUNT, PART, RATE, LEFT, LOSS, ACCURACY, PIECES };

/* What gives way, in this order, where the terminal is too narrow: never the time left. */
static const int dispensable[] = {RATE, ACCURACY, PART, LOSS, COUNT};

typedef struct progress_line {
    char piece[PIECES][80]; /* "": not known, or given up */
} progress_line;

static int line_columns(const progress_line *l)
{
    int columns = 0;
    for (int i = 0; i < PIECES; i++)
        if (l->piece[i][0])
            columns += (columns ? 2 : 0) + cli_text_width(l->piece[i]);
    return columns;
}

/* "123/600", "1.5/12.0 MiB", and what follows from it */
static void put_count(progress_line *l, const hst_progress *p)
{
    char done[32], total[32], left[32];
    const char *unit = p->in_bytes ? " MiB" : "";
    format_count(done, p, (double)p->done);
    format_count(total, p, (double)p->total);
    if (p->total > 0) {
        snprintf(l->piece[COUNT], sizeof *l->piece, "%s/%s%s", done, total, unit);
        snprintf(l->piece[PART], sizeof *l->piece, "%d %%",
                 (int)(100.0 * (double)p->done / (double)p->total));
    } else {
        snprintf(l->piece[COUNT], sizeof *l->piece, "%s%s", p->done ? done : "...",
                 p->done ? unit : "");
    }
    if (!(p->per_s > 0) || (p->total > 0 && p->done >= p->total))
        return;
    snprintf(l->piece[RATE], sizeof *l->piece, "%.1f%s/s", p->per_s / (p->in_bytes ? 1 << 20 : 1),
             unit);
    if (p->total == 0)
        return;
    format_time(left, sizeof left, (double)(p->total - p->done) / p->per_s);
    snprintf(l->piece[LEFT], sizeof *l->piece, "%s left", left);
}

/* "features  123/600  20 %  48.8/s  0:10 left", while a network learns with "  loss 0.512  accuracy
 * 0.875"; not wider than so many columns. */
static void make_line(const cli_display *d, int columns, char *line, size_t cap)
{
    progress_line l = {0};
    const hst_progress *p = &d->at;
    put_count(&l, p);
    if (p->loss >= 0 && p->accuracy >= 0) {
        unsigned long loss = thousandths(p->loss), accuracy = thousandths(p->accuracy);
        snprintf(l.piece[LOSS], sizeof *l.piece, "loss %lu.%03lu", loss / 1000, loss % 1000);
        snprintf(l.piece[ACCURACY], sizeof *l.piece, "accuracy %lu.%03lu", accuracy / 1000,
                 accuracy % 1000);
    }
    snprintf(l.piece[WHAT], sizeof *l.piece, "%s", d->what);
    for (size_t i = 0; i < sizeof dispensable / sizeof *dispensable; i++)
        if (line_columns(&l) > columns)
            l.piece[dispensable[i]][0] = 0;
    int over = line_columns(&l) - columns, room = cli_text_width(l.piece[WHAT]) - over;
    if (over > 0)
        cli_text_shorten(l.piece[WHAT], sizeof *l.piece, d->what, room < 5 ? 5 : room);
    size_t at = 0;
    line[0] = 0;
    for (int i = 0; i < PIECES; i++)
        if (l.piece[i][0] && at < cap)
            at += (size_t)snprintf(line + at, cap - at, "%s%s", at ? "  " : "", l.piece[i]);
}

static void draw(cli_display *d)
{
    char line[512];
    const int columns = cli_text_columns(STDERR_FILENO) - 1; /* in the last one some would wrap */
    const double now = now_s();
    if (d->dumb && now - d->added_s < ADD_S)
        return;
    make_line(d, columns, line, sizeof line);
    fprintf(stderr, d->dumb ? "%s\n" : "\r\033[K%s", line);
    fflush(stderr);
    d->added_s = now;
    d->drawn = !d->dumb;
}

/* The line that stays of a phase; a short one that counts no photos leaves none. */
static void end_phase(cli_display *d)
{
    if (!d->running)
        return;
    d->running = 0;
    wipe(d);
    if (d->at.done == 0) /* it counts nothing, or came to nothing */
        return;
    /* others count steps of their own */
    int photos = strcmp(d->what, "features") == 0 || d->counting_s > 0;
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
        if (!d->running)
            d->added_s = now_s();
        d->running = 1;
        if (last)
            end_phase(d);
        else if (d->terminal || d->dumb)
            draw(d);
    }
    pthread_mutex_unlock(&d->lock);
    return cli_signals_caught() != 0;
}

void cli_display_count(cli_display *d, const char *what, uint64_t done, uint64_t total)
{
    const double now = now_s();
    if (d->quiet)
        return;
    if (done <= 1 || d->counting_s == 0)
        d->counting_s = now;
    const int last = total > 0 && done >= total;
    if (now - d->counting_s < WORTH_A_LINE_S || (now - d->counted_s < DRAW_S && !last))
        return;
    d->counted_s = now;
    (void)cli_display_progress(d, &(hst_progress){.size = sizeof(hst_progress),
                                                  .what = what,
                                                  .done = done,
                                                  .total = total,
                                                  .per_s = (double)done / (now - d->counting_s),
                                                  .loss = -1,
                                                  .accuracy = -1});
}

/* The line of an epoch with fewer words, where these are its words. */
static void shorten_epoch(const char *line, char *out, size_t cap)
{
    char of[32], loss[16], accuracy[16], val_loss[16], val_accuracy[16];
    if (sscanf(line, "epoch %31s loss %15s accuracy %15s val_loss %15s val_accuracy %15s", of, loss,
               accuracy, val_loss, val_accuracy) == 5)
        snprintf(out, cap, "epoch %s loss %s val %s acc %s val %s", of, loss, val_loss, accuracy,
                 val_accuracy);
    else
        snprintf(out, cap, "%s", line);
}

/* A line, on a terminal that is too narrow for it broken at spaces. */
static void put_line(const cli_display *d, const char *line)
{
    const int columns = d->terminal ? cli_text_columns(STDERR_FILENO) - 1 : 0;
    char shorter[2048], word[2048];
    int at = 0;
    if (!columns || cli_text_width(line) <= columns) {
        fprintf(stderr, "%s\n", line);
        return;
    }
    shorten_epoch(line, shorter, sizeof shorter);
    for (const char *s = shorter; *s;) {
        const int gap = (int)strspn(s, " "), n = (int)strcspn(s + gap, " ");
        snprintf(word, sizeof word, "%.*s", n, s + gap);
        const int width = cli_text_width(word);
        const int breaks = at && at + gap + width > columns;
        fprintf(stderr, breaks ? "\n%*s%s" : "%*s%s", breaks ? 2 : gap, "", word);
        at = breaks ? 2 + width : at + gap + width;
        s += gap + n;
    }
    putc('\n', stderr);
}

void cli_display_log(void *arg, int level, const char *line)
{
    cli_display *d = arg;
    char warning[2048];
    if (d->quiet && level < HST_LOG_WARN)
        return;
    snprintf(warning, sizeof warning, "headstart: warning: %s", line);
    pthread_mutex_lock(&d->lock);
    wipe(d);
    put_line(d, level >= HST_LOG_WARN ? warning : line);
    pthread_mutex_unlock(&d->lock);
}

void cli_display_error(cli_display *d, const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&d->lock);
    wipe(d);
    cli_error("%s", line);
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

/* progress.h - what the user sees of long work, on standard error.
 *
 * On a terminal one line is redrawn with rate and time left, on one that can only add lines it is
 * added now and then; elsewhere, and when a phase ends, a phase is one line. Quiet: warnings and
 * errors only. */
#ifndef HST_CLI_PROGRESS_H
#define HST_CLI_PROGRESS_H
#include "headstart.h"

#include <pthread.h>

typedef struct cli_display {
    pthread_mutex_t lock; /* log and progress may be called at the same time */
    int quiet, terminal;
    int dumb;                     /* a terminal on which nothing can be redrawn */
    int drawn;                    /* an unfinished line stands on the terminal */
    int running;                  /* a phase has begun and not ended */
    char what[64];                /* the phase */
    hst_progress at;              /* last seen of it; at.what is not used */
    double added_s;               /* when a line was drawn last */
    double counting_s, counted_s; /* when cli_display_count began, and when it told last */
} cli_display;

void cli_display_open(cli_display *d, int quiet);
/* Ends the phase that is running. */
void cli_display_close(cli_display *d);

/* The two functions of hst_config; arg: a cli_display. Progress asks to stop once a signal came. */
int cli_display_progress(void *arg, const hst_progress *p);
void cli_display_log(void *arg, int level, const char *line);

/* Progress of work that the program counts itself, by one thread: so many of total (0: unknown) are
 * done. Of less than two seconds nothing is told. */
void cli_display_count(cli_display *d, const char *what, uint64_t done, uint64_t total);

/* An error line (cli_error) that does not run into what is drawn. */
void cli_display_error(cli_display *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line, unless quiet. */
void cli_display_say(cli_display *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#endif

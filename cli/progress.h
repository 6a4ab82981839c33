/* progress.h - what the user sees of long work, on standard error.
 *
 * On a terminal one line is redrawn with rate and time left; elsewhere, and when a phase ends, a
 * phase is one line. Quiet: warnings and errors only. */
#ifndef HST_CLI_PROGRESS_H
#define HST_CLI_PROGRESS_H
#include "headstart.h"

#include <pthread.h>

typedef struct cli_display {
    pthread_mutex_t lock; /* log and progress may be called at the same time */
    int quiet, terminal;
    int drawn;       /* an unfinished line stands on the terminal */
    int running;     /* a phase has begun and not ended */
    char what[64];   /* the phase */
    hst_progress at; /* last seen of it; at.what is not used */
} cli_display;

void cli_display_open(cli_display *d, int quiet);
/* Ends the phase that is running. */
void cli_display_close(cli_display *d);

/* The two functions of hst_config; arg: a cli_display. Progress asks to stop once a signal came. */
int cli_display_progress(void *arg, const hst_progress *p);
void cli_display_log(void *arg, int level, const char *line);

/* A line, unless quiet. */
void cli_display_say(cli_display *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#endif

/* signals.h - Ctrl-C and the like: a flag that the work looks at, so that it ends cleanly. */
#ifndef HST_CLI_SIGNALS_H
#define HST_CLI_SIGNALS_H

/* SIGINT and SIGTERM set the flag. A second one ends the program at once, unless it comes within
 * half a second: some senders give a signal to the program and then to its group. SIGPIPE is
 * ignored, so that a vanished reader is a failed write. */
void cli_signals_install(void);
/* The first signal that came, or 0. */
int cli_signals_caught(void);
#endif

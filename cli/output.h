/* output.h - standard output with every write checked, and errors on standard error. */
#ifndef HST_CLI_OUTPUT_H
#define HST_CLI_OUTPUT_H

/* Exit statuses that do not come from an error code of the library. */
enum {
    CLI_OK = 0,
    CLI_BELOW = 1,
    CLI_USAGE = 2,
    CLI_BAD_INPUT = 3,
    CLI_NO_SPACE = 6,
    CLI_NO_READER = 141
};

typedef struct cli_out {
    int error;    /* errno of the first write that failed; later ones do nothing */
    int at_once;  /* 1: someone may be reading along, so every row is flushed */
    int finished; /* cli_out_close was called */
    int colour;   /* 1: cli_paint gives colours */
} cli_out;

cli_out cli_out_open(void);
void cli_out_puts(cli_out *o, const char *s);
void cli_out_printf(cli_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What begins such a text, "" where nothing is coloured; CLI_PLAIN ends it. */
enum cli_colour { CLI_PLAIN, CLI_GOOD, CLI_BAD, CLI_DOUBT, CLI_STRONG };
const char *cli_paint(const cli_out *o, enum cli_colour c);
/* Whether to colour: when is "always", "never" or "auto", which asks terminal and environment. */
int cli_wants_colour(const char *when);
/* Ends a row: 0, or -1 when writing has failed. */
int cli_out_row(cli_out *o);
/* Flushes and closes standard output. status, or when that was 0 and writing failed:
 * CLI_NO_SPACE with a line on standard error, CLI_NO_READER silently when the reader has gone. */
int cli_out_close(cli_out *o, int status);

/* "headstart: <message>" as one line on standard error. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The exit status for a code of HST_ERRORS; 1 for any other number. */
int cli_exit_status(int code);

/* What this process prints from now on is not seen: one of several tells the user. *shown: standard
 * error, to be seen again after cli_show (-1: nothing was hidden), and errors are kept for
 * cli_tell_hidden, which writes the first 4 KB of them there. NULL: they are kept no longer. */
void cli_hide(int *shown);
void cli_tell_hidden(int shown);
void cli_show(int shown);
#endif

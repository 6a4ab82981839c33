/* place.h - a file put into a folder without losing it, or any file that is there. */
#ifndef HST_CLI_PLACE_H
#define HST_CLI_PLACE_H
#include <stddef.h>

enum cli_placing {
    CLI_PLACE_COPY, /* bytes, times and permissions */
    CLI_PLACE_LINK, /* a symbolic link to where the file really is */
    CLI_PLACE_MOVE  /* to another file system: copied, durable, then removed */
};

/* Puts `from` into folder, which is there, under its own name, or, where that is taken, as
 * NAME-2.jpg, NAME-3.jpg, ...: never over a file. What is there already as that very file stays.
 * to[cap]: where it is now. 0, or errno; then `from` is as it was and nothing is left in folder. */
int cli_place(enum cli_placing how, const char *from, const char *folder, char *to, size_t cap);

/* The i-th name (from 1) for a file: "a.jpg", "a-2.jpg". 0: it does not fit. */
int cli_place_name(const char *folder, const char *from, int i, char *to, size_t cap);

/* mkdir -p; 0 or errno. */
int cli_place_folder(const char *path);
#endif

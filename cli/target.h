/* target.h - where results go, looked at before the work: what cannot be written, or would replace
 * what is not ours, is said at once. */
#ifndef HST_CLI_TARGET_H
#define HST_CLI_TARGET_H

/* A folder of results. */
typedef struct cli_target {
    const char *path;
    const char *const *marks; /* NULL-ended: files by any of which a folder of ours is known */
    const char *page;         /* NULL, or a page by which it is, where our name is on it */
    const char *other;        /* NULL, or a file by which it is of another job of ours */
    const char *const *data;  /* NULL-ended: folders of photos that it may not be, nor hold */
} cli_target;

/* 0, or the exit status after an error line: the folder, which need not be there, holds files and
 * none of the marks; it is a folder of photos or above one; it cannot be made or written to. Leaves
 * nothing behind. */
int cli_target_folder(const cli_target *t);
/* The same for one file, which may be there: its folder must be. */
int cli_target_file(const char *path);
#endif

/* cam.h - the folder of --cam: a class-activation map for each photo, named after it. */
#ifndef HST_CLI_CAM_H
#define HST_CLI_CAM_H
#include <stddef.h>

typedef struct cli_cam_name cli_cam_name;
typedef struct cli_cam {
    const char *dir;     /* borrowed */
    cli_cam_name **name; /* [cap] those given so far, a hash table */
    size_t n, cap;
} cli_cam;

/* Makes the folder and those above it where they are not there. 0, or an exit status after an error
 * line. */
int cli_cam_open(cli_cam *c, const char *dir);
void cli_cam_close(cli_cam *c);
/* Into path[cap]: DIR/daisy.cam.png for a/daisy.jpg; for b/daisy.jpg, and where capital letters are
 * the only difference, DIR/daisy-2.cam.png. 1, or -1 after an error line. */
int cli_cam_path(cli_cam *c, const char *photo, char *path, size_t cap);
#endif

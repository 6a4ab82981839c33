/* scene.h - an evaluation of four photos: two right, one wrong, one wrong and gone. */
#ifndef HST_TESTS_REPORT_SCENE_H
#define HST_TESTS_REPORT_SCENE_H
#include "support.h"

#include "report/report.h"

typedef struct fixture {
    char *dir;
    hst_eval *eval;
    uint8_t *bytes; /* of the file read last */
    size_t n;
} fixture;

extern const char *const scene_labels[2];

int scene_set_up(void **state);
int scene_tear_down(void **state);
/* Path of a file in the scene's folder, to be freed. */
char *in_dir(const fixture *f, const char *name);
/* A green picture. */
void write_photo(const fixture *f, const char *name, int w, int h);
const char *read_back(fixture *f, const char *name);
/* How often `what` is in text. */
int count(const char *text, const char *what);
#endif

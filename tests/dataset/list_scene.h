/* list_scene.h - folders of photos with lists, made on the spot, and what is read out of them.
 * Photos are files of a few bytes: none is decoded at the scan. */
#ifndef HST_TESTS_LIST_SCENE_H
#define HST_TESTS_LIST_SCENE_H
#include "support.h"

#include "dataset/dataset.h"

typedef struct made {
    char *dir;
} made;

/* Photos of those names, with a space between. Each has other bytes. */
made make(const char *photos);
void drop(made *m);
void put_bytes(const made *m, const char *name, const char *bytes, size_t n);
void put(const made *m, const char *name, const char *text);

/* The defaults, not split. */
hst_data_opts opts(void);
/* The word below the folder; "" is itself. */
hst_data *open_as(const made *m, const char *word, const hst_data_opts *o, hst_err *e);
/* Opens it and compares: "a.jpg+=cat c.jpg?=dog&cat; left: b.jpg" is photos in order with what they
 * show, + being the training side and ? the other, and what was left out by name. */
void check_with(const made *m, const char *word, const hst_data_opts *o, const char *want);
void check(const made *m, const char *word, const char *want);
/* Writes a list beside the photos and compares. */
void check_list(const made *m, const char *name, const char *text, const char *want);
/* It is refused with a message that holds the words. */
void refused_with(const made *m, const char *word, const hst_data_opts *o, const char *words);
void refused(const made *m, const char *word, const char *words);
#endif

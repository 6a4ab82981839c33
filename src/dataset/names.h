/* names.h - what names of files and columns say. */
#ifndef HST_DATASET_NAMES_H
#define HST_DATASET_NAMES_H
#include <stddef.h>

/* 1: s[n] ends as photos' names do (".jpg"), in any case. */
int hst_names_photo(const char *s, size_t n);
#endif

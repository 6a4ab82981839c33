/* class_list.h - classes that are alike in something, told in one line however many they are. */
#ifndef HST_TRAINING_CLASS_LIST_H
#define HST_TRAINING_CLASS_LIST_H
#include "base/context.h"

/* {0} is an empty one. */
typedef struct hst_class_list {
    size_t n;
    char names[400]; /* of the first, with ", " between and ", ..." where there are more */
} hst_class_list;

void hst_class_list_add(hst_class_list *l, const char *name);
/* Nothing of an empty one. one: what is so of a class, "has ...", of which the accuracy then says
 * nothing; many: the same of several. */
void hst_class_list_warn(const hst_class_list *l, const hst_ctx *ctx, const char *one,
                         const char *many);
#endif

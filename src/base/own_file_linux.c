#include "base/process.h"

#include <link.h>
#include <stdlib.h>

typedef struct search {
    uintptr_t code;   /* an address inside this code */
    const char *name; /* of the object that has it; empty: the program itself */
} search;

/* 1, which ends the walk, at the loaded object that has the address. */
static int has_it(struct dl_phdr_info *object, size_t size, void *arg)
{
    (void)size;
    search *s = arg;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type == PT_LOAD &&
            s->code - (object->dlpi_addr + part->p_vaddr) < part->p_memsz) {
            s->name = object->dlpi_name;
            return 1;
        }
    }
    return 0;
}

/* Not dladdr(): for a program it says what the program was called as, which need be no path. */
char *hst_own_file(void)
{
    search s = {.code = (uintptr_t)hst_own_file};
    if (!dl_iterate_phdr(has_it, &s))
        return NULL;
    return realpath(s.name && *s.name ? s.name : "/proc/self/exe", NULL);
}

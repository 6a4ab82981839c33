/* mutate.h - changes to a file that know its format: fields get other values, parts are moved,
 * doubled and taken out, and what holds them together (lengths, offsets) is mended, so that a
 * reader gets past it to what was changed. Everything is drawn from the mutant's own stream. */
#ifndef HST_TESTS_FUZZ_MUTATE_H
#define HST_TESTS_FUZZ_MUTATE_H
#include "base/random.h"

#include <stddef.h>
#include <stdint.h>

typedef struct mutant {
    uint8_t *p; /* [room], of which n are the file */
    size_t n, room;
    hst_rng *r;
} mutant;
/* One change; none where the file is damaged too much already or there is no room. */
typedef void mutator(mutant *m);

mutator mutate_bytes;       /* of any format */
mutator mutate_protobuf;    /* fields, at any depth */
mutator mutate_flatbuffer;  /* of TFLite's schema */
mutator mutate_hdf5;        /* headers and their messages, trees, heaps, tables */
mutator mutate_json;        /* values and members */
mutator mutate_safetensors; /* the header's JSON, with its length */
mutator mutate_pickle;      /* instructions and their arguments */
mutator mutate_zip;         /* directory, and members by the mutator of their kind */
mutator mutate_picture;     /* numbers near the beginning */

uint32_t mutate_below(mutant *m, size_t n); /* 0 .. n-1; 0 where n is 0 */
/* Instead of was: an extreme, a little off, or a small number. */
uint64_t mutate_number(mutant *m, uint64_t was);
void mutate_put(uint8_t *p, unsigned width, uint64_t v); /* little endian */
uint64_t mutate_get(const uint8_t *p, unsigned width);
/* Replaces cut bytes by others, which may lie in the mutant. 0: there is no room. */
int mutate_splice(mutant *m, size_t at, size_t cut, const uint8_t *add, size_t n_add);
/* A change of n bytes of the file by themselves; how many they are after it. */
size_t mutate_part(mutant *m, size_t at, size_t n, mutator *change);
/* The same for one of the files of a folder (folder.h), with its length; the last has none. */
void mutate_file(mutant *m, unsigned file, unsigned n_files, mutator *change);
#endif

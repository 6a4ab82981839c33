/* tflite_file.h - the parts of a TFLite file: tensors, buffers, metadata. schema.fbs of TensorFlow.
 */
#ifndef CONVERT_TFLITE_FILE_H
#define CONVERT_TFLITE_FILE_H
#include "flatbuffer.h"
#include "weights.h"

/* TensorType of the schema. */
enum {
    TFLITE_F32 = 0,
    TFLITE_F16 = 1,
    TFLITE_I32 = 2,
    TFLITE_U8 = 3,
    TFLITE_I64 = 4,
    TFLITE_I8 = 9
};

typedef struct tflite_tensor {
    hst_tensor t; /* name, shape; where constant: dtype, data */
    int type;
    int constant;
    fb_vector scale,
        zero_point;      /* value = scale * (number - zero point); no elements: not quantised,
                                    or no zero point */
    int64_t channel_dim; /* that scale goes along */
    int value;           /* of the network; -1: not computed */
} tflite_tensor;

typedef struct tflite_file {
    fb b;
    fb_table model;
    fb_vector codes, buffers, operators;
    tflite_tensor *tensor;
    size_t n;
    int32_t input;
} tflite_file;

/* Opens the only sub-graph with its tensors; data stays in file, names go to the arena. */
HST_CHECK int tflite_open(tflite_file *f, bytes file, hst_arena *arena, hst_err *err);
/* The operator code of an operator. */
HST_CHECK int tflite_code(tflite_file *f, fb_table operator, int * code, hst_err *err);
/* A constant of a file, and its numbers as float32, quantised ones (uint8, int8, int32) scaled: a
 * net_floats (network.h). */
typedef struct tflite_numbers {
    const tflite_file *f;
    const tflite_tensor *t;
} tflite_numbers;
HST_CHECK int tflite_floats(const void *from, float *out, hst_err *err);
/* Says mean and std of pixels for an input of whole numbers. HST_EMODEL: they are none that pixels
 * could be. */
HST_CHECK int tflite_say_quantised_input(tflite_file *f, weights *w, hst_err *err);
/* Says mean and std of the input where the file's metadata has them. */
HST_CHECK int tflite_say_metadata(tflite_file *f, weights *w, hst_err *err);
/* Says the facts of a file that headstart itself has exported; *ours: 0 or 1, whether it is such.
 */
HST_CHECK int tflite_say_model(tflite_file *f, weights *w, int *ours, hst_err *err);
#endif

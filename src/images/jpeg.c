/* jpeg.c - JPEG through libjpeg-turbo, as Pillow and as TensorFlow use it.
 *
 * libjpeg leaves on an error by longjmp. The only setjmp is in guarded(): steps run below it, keep
 * all their state in struct jpeg, and own nothing else. */
#include "images/decode.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

/* A progressive file may repeat scans over the whole picture for a few bytes each. Cameras and
 * editors write about ten; these bound the work at some seconds. */
#define MAX_SCANS       128
#define MAX_SCAN_PIXELS 4000000000u

struct jpeg {
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf on_error;
    const hst_encoded *in;
    hst_image *out;
    int rc; /* of the failure; its message is in err */
    hst_err *err;
};

_Noreturn static void fail(struct jpeg *j, const char *why)
{
    j->rc = hst_fail(j->err, HST_EIMAGE, "damaged JPEG: %s", why);
    longjmp(j->on_error, 1);
}

/* A whole file of a kind that few programs know. */
_Noreturn static void unsupported(j_common_ptr common)
{
    struct jpeg *j = common->client_data;
    if (common->err->msg_code == JERR_BAD_PRECISION)
        j->rc = hst_fail(j->err, HST_EIMAGE,
                         "a JPEG of %d bits a channel, which is not read; convert it to 8",
                         j->d.data_precision);
    else if (common->err->msg_code == JERR_CONVERSION_NOTIMPL)
        j->rc = hst_fail(j->err, HST_EIMAGE, "a JPEG of %d channels, which is not read; convert it",
                         j->d.num_components);
    else
        j->rc = hst_fail(j->err, HST_EIMAGE,
                         "a lossless or hierarchical JPEG, which is not read; convert it");
    longjmp(j->on_error, 1);
}

/* libjpeg's fatal errors. */
_Noreturn static void on_error(j_common_ptr d)
{
    char why[JMSG_LENGTH_MAX];
    if (d->err->msg_code == JERR_OUT_OF_MEMORY) {
        struct jpeg *j = d->client_data;
        j->rc = hst_fail(j->err, HST_EMEM, "out of memory while decoding a JPEG");
        longjmp(j->on_error, 1);
    }
    if (d->err->msg_code == JERR_SOF_UNSUPPORTED || d->err->msg_code == JERR_BAD_PRECISION ||
        d->err->msg_code == JERR_CONVERSION_NOTIMPL)
        unsupported(d);
    d->err->format_message(d, why);
    fail(d->client_data, why);
}

/* Warnings (odd bytes between markers, a bad code that decoding can go on from): both libraries
 * take such a picture as it comes out. */
static void on_message(j_common_ptr d, int level)
{
    (void)d;
    (void)level;
}

static void on_output(j_common_ptr d)
{
    (void)d;
}

static void source_nothing(j_decompress_ptr d)
{
    (void)d;
}

_Noreturn static void truncated(struct jpeg *j)
{
    j->rc = hst_image_truncated("JPEG", j->err);
    longjmp(j->on_error, 1);
}

/* The whole file is in memory: there is no more. What libjpeg was doing then returns "suspended",
 * and so tells a cut picture from one whose last rows are there and only the end marker is not. */
static boolean source_more(j_decompress_ptr d)
{
    (void)d;
    return FALSE;
}

static void source_skip(j_decompress_ptr d, long n)
{
    if (n <= 0)
        return;
    const size_t left = d->src->bytes_in_buffer, skip = (size_t)n < left ? (size_t)n : left;
    d->src->next_input_byte += skip;
    d->src->bytes_in_buffer -= skip;
}

static void on_progress(j_common_ptr common)
{
    j_decompress_ptr d = (j_decompress_ptr)common;
    uint64_t pixels = (uint64_t)d->image_width * d->image_height;
    if (d->input_scan_number > MAX_SCANS ||
        (d->input_scan_number > 1 && (uint64_t)d->input_scan_number * pixels > MAX_SCAN_PIXELS))
        fail(common->client_data, "too many scans");
}

static void start(struct jpeg *j)
{
    j->d.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = on_error;
    j->errors.emit_message = on_message;
    j->errors.output_message = on_output;
    j->d.client_data = j;
    jpeg_create_decompress(&j->d);
    j->progress.progress_monitor = on_progress;
    j->d.progress = &j->progress;
    j->source = (struct jpeg_source_mgr){.next_input_byte = j->in->bytes,
                                         .bytes_in_buffer = j->in->n,
                                         .init_source = source_nothing,
                                         .fill_input_buffer = source_more,
                                         .skip_input_data = source_skip,
                                         .resync_to_restart = jpeg_resync_to_restart,
                                         .term_source = source_nothing};
    j->d.src = &j->source;
}

/* Every 8 x 8 block takes at least one bit (arithmetic coding excepted): a small file that claims
 * a huge picture is refused before memory is asked for. */
static int can_hold_picture(const struct jpeg *j)
{
    const jpeg_component_info *c = &j->d.comp_info[0];
    return j->d.arith_code ||
           (uint64_t)c->width_in_blocks * c->height_in_blocks <= (uint64_t)j->in->n * 8;
}

/* 1, 2 or 4: the picture over this is still large enough. (An eighth is the mean of each block, too
 * blurred for what follows.) */
static unsigned shrinking(const struct jpeg *j)
{
    const unsigned w = j->d.image_width, h = j->d.image_height, shorter = w < h ? w : h;
    const unsigned least = (unsigned)j->in->least;
    return least == 0 ? 1 : shorter / 4 >= least ? 4 : shorter / 2 >= least ? 2 : 1;
}

static void read_header(struct jpeg *j)
{
    j_decompress_ptr d = &j->d;
    if (jpeg_read_header(d, TRUE) != JPEG_HEADER_OK)
        truncated(j);
    d->dct_method = j->in->resampler == HST_RESAMPLE_TF ? JDCT_IFAST : JDCT_ISLOW;
    d->do_fancy_upsampling = TRUE;
    d->out_color_space = d->num_components == 4 ? JCS_CMYK : JCS_RGB;
    if ((uint64_t)d->image_width * d->image_height <= HST_IMAGE_MAX_PIXELS && !can_hold_picture(j))
        truncated(j);
    j->rc = hst_image_check(d->image_width, d->image_height, j->err);
    if (j->rc)
        longjmp(j->on_error, 1);
    d->scale_denom = shrinking(j);
    jpeg_calc_output_dimensions(d);
    j->rc = hst_image_alloc(j->out, d->output_width, d->output_height, j->err);
    if (j->rc)
        longjmp(j->on_error, 1);
}

/* a * b / 255, rounded, the way Pillow computes it. */
static int mul_div_255(int a, int b)
{
    int t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* Pillow takes every four-channel JPEG as inverted CMYK, as Adobe writes it. */
static void cmyk_row_pil(const uint8_t *cmyk, uint8_t *rgb, int w)
{
    for (int x = 0; x < w; x++, cmyk += 4, rgb += 3)
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(cmyk[3] - mul_div_255(255 - cmyk[c], cmyk[3]));
}

/* TensorFlow takes it as inverted only when the Adobe marker is there. */
static void cmyk_row_tf(const uint8_t *cmyk, uint8_t *rgb, int w, int inverted)
{
    int flip = inverted ? 0 : 255;
    for (int x = 0; x < w; x++, cmyk += 4, rgb += 3)
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)((flip ^ cmyk[c]) * (flip ^ cmyk[3]) / 255);
}

static void read_cmyk_row(struct jpeg *j, JSAMPARRAY buffer, uint8_t *rgb)
{
    if (jpeg_read_scanlines(&j->d, buffer, 1) != 1)
        truncated(j);
    if (j->in->resampler == HST_RESAMPLE_PIL)
        cmyk_row_pil(buffer[0], rgb, j->out->w);
    else
        cmyk_row_tf(buffer[0], rgb, j->out->w, j->d.saw_Adobe_marker);
}

static void read_pixels(struct jpeg *j)
{
    j_decompress_ptr d = &j->d;
    size_t row_bytes = (size_t)j->out->w * 3;
    if (!jpeg_start_decompress(d))
        truncated(j);
    JSAMPARRAY cmyk = NULL; /* lives and dies with d */
    if (d->out_color_space == JCS_CMYK)
        cmyk = d->mem->alloc_sarray((j_common_ptr)d, JPOOL_IMAGE, d->output_width * 4, 1);
    while (d->output_scanline < d->output_height) {
        JSAMPROW row = j->out->rgb + d->output_scanline * row_bytes;
        if (cmyk)
            read_cmyk_row(j, cmyk, row);
        else if (jpeg_read_scanlines(d, &row, 1) != 1)
            truncated(j);
    }
    /* Pillow does without the end marker. */
    if (!jpeg_finish_decompress(d) && j->in->resampler == HST_RESAMPLE_TF)
        truncated(j);
}

static int guarded(struct jpeg *j, void (*step)(struct jpeg *))
{
    if (setjmp(j->on_error))
        return j->rc;
    step(j);
    return 0;
}

int hst_jpeg_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err)
{
    struct jpeg j = {.in = in, .out = out, .err = err};
    int rc = guarded(&j, start);
    if (rc == 0)
        rc = guarded(&j, read_header);
    if (rc == 0)
        rc = guarded(&j, read_pixels);
    jpeg_destroy_decompress(&j.d);
    return rc ? rc : hst_jpeg_orientation(in->bytes, in->n, orientation, err);
}

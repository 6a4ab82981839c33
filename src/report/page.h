/* page.h - report.html in the making. A section is one function that adds itself to the page, or
 * nothing where it has nothing to say.
 *
 * The page must be readable without a script, without a network and under a policy that forbids
 * both: no style attributes (one <style>, allowed by its hash), bars and curves as inline SVG.
 * A picture is in the file once, as <image id="p12"> (12: its number in the gallery), and shown
 * wherever it is needed by <use href="#p12">. A cell of the matrix is a link to the panel of its
 * photos, which CSS shows while it is the target of the address. */
#ifndef HST_REPORT_PAGE_H
#define HST_REPORT_PAGE_H
#include "base/buf.h"
#include "report/ranking.h"
#include "report/report.h"

#define HST_NBSP "\xc2\xa0" /* a space at which no line breaks */

enum {
    HST_PAGE_SECTIONS = 24,
    HST_WRONG_PHOTOS = 60,  /* shown of the wrong ones */
    HST_MAPPED_PHOTOS = 12, /* of those, with what speaks for the label beside them */
    HST_PANEL_PHOTOS = 24,  /* of one cell of the matrix */
    HST_REVIEW_PHOTOS = 24, /* whose labels are likely wrong */
    HST_COPIES_GROUPS = 12, /* of copies */
    HST_COPIES_PHOTOS = 4   /* of one such group */
};

/* A photo whose picture is in the file. */
typedef struct hst_picture_item {
    const char *path;
    hst_buf uri; /* "data:image/jpeg;base64,..." */
    int w, h;    /* 0: is not in the file after all */
    int gone;    /* 1: could not be read */
} hst_picture_item;

typedef struct hst_gallery {
    hst_picture_item *item; /* [n] the most important first */
    size_t n;
    hst_picture_item *map; /* [n_maps] of the surest mistakes, what speaks for them drawn over */
    size_t n_maps;
} hst_gallery;

/* Photos that show the same. */
typedef struct hst_copies {
    const size_t *photo; /* [n] of the data, in its order */
    size_t n;
    int same;           /* their pixels are equal */
    int classes_differ; /* their labels are not all the same */
} hst_copies;

typedef struct hst_page {
    hst_buf body;
    const hst_report_in *in;
    const hst_eval *e;
    hst_ranking rank;
    hst_gallery gallery;
    hst_copies *copies;           /* [n_copies] */
    size_t n_copies, *copy_photo; /* what copies' photos point to */
    struct {
        const char *id, *heading;
    } section[HST_PAGE_SECTIONS]; /* for the list of contents */
    int n_sections;
    int panels; /* the cells of the matrix have panels of photos */
} hst_page;

/* ---- text (page_text.c) ---- */

/* Text from outside: printable, and no character that HTML would act on. */
void hst_page_text(hst_buf *b, const char *s);
/* A path, with places to break a line behind '/' and '_' only. */
void hst_page_path(hst_buf *b, const char *path);
/* The last name of a path, also of "photos/"; all of it where it has none. */
const char *hst_page_base(const char *path, char out[1024]);
/* v >= 0 with so many decimals (at most 6), never with the locale's comma. */
void hst_page_fixed(hst_buf *b, double v, int decimals);
void hst_page_percent(hst_buf *b, double part); /* "87.8 %", kept on one line */
/* v of any sign and size. */
void hst_page_signed(hst_buf *b, double v, int decimals);
/* Decimals that tell the numbers of an evaluation apart: four digits of their range. */
int hst_page_decimals(const hst_eval *e);
/* "1 photo", "4 photos". */
void hst_page_count(hst_buf *b, uint64_t n, const char *one, const char *many);
/* Begins the note on what figures out of fold are; who calls goes on with that of the photos kept
 * aside, and ends the paragraph. */
void hst_page_out_of_fold(hst_buf *b, const hst_report_in *in);
/* The photo's path from the data's folder on. */
const char *hst_page_relative(const hst_page *p, const char *path);

/* Everything in front of <body>, the style and the policy that forbids all else among it (page.c).
 * title: a path or a name. Errors: HST_EMEM. */
HST_CHECK int hst_page_head(hst_buf *b, const char *title, hst_err *err);

/* Begins a section that the list of contents names; both texts are constants. */
void hst_page_begin(hst_page *p, const char *id, const char *heading);
void hst_page_end(hst_page *p);
/* Around a table that may be wider than the page: scrolled by keys too. name: for who hears it. */
void hst_page_wide(hst_buf *b, const char *name);

/* ---- photos (page_gallery.c, page_cards.c) ---- */

/* Chooses and reads the pictures. Errors: HST_EMEM. */
HST_CHECK int hst_gallery_make(hst_page *p, hst_err *err);
void hst_gallery_clear(hst_gallery *g);
const hst_picture_item *hst_gallery_find(const hst_gallery *g, const char *path); /* or NULL */
/* The pictures, to be shown by <use>. */
void hst_gallery_put(const hst_gallery *g, hst_buf *b);

/* A photo of the evaluation with its labels and path. linked: its picture leads to the panel of its
 * cell, where there are panels. */
void hst_page_card(hst_page *p, size_t photo, int linked);
/* The i-th wrong photo with its map beside it. */
void hst_page_mapped_card(hst_page *p, size_t i);
/* Any photo; what is said of it is put in between. */
void hst_page_bare_card_begin(hst_page *p, const char *path);
void hst_page_bare_card_end(hst_page *p, const char *path);

/* ---- sections ---- */

HST_CHECK int hst_page_headline(hst_page *p, hst_err *err);
/* The same of labels and numbers (page_target.c), and what takes the place of the matrix. */
HST_CHECK int hst_page_target_headline(hst_page *p, hst_err *err);
HST_CHECK int hst_page_label_scores(hst_page *p, hst_err *err);
void hst_page_numbers(hst_page *p); /* the predicted beside the true */
/* A cell of a table: n, and a bar of its part of most. */
void hst_page_bar(hst_buf *b, uint64_t n, uint64_t most);
int hst_page_has_panels(const hst_page *p); /* told from the ranking */
void hst_page_matrix(hst_page *p);
void hst_page_panels(hst_page *p); /* the photos of its cells */
void hst_page_classes(hst_page *p);
HST_CHECK int hst_page_pairs(hst_page *p, hst_err *err);
void hst_page_mistakes(hst_page *p);
void hst_page_labels(hst_page *p); /* likely wrong ones */
void hst_page_unsure(hst_page *p);
void hst_page_curves(hst_page *p);
HST_CHECK int hst_page_calibration(hst_page *p, hst_err *err);
HST_CHECK int hst_page_find_copies(hst_page *p, hst_err *err);
void hst_page_copies(hst_page *p);
void hst_page_growth(hst_page *p);
void hst_page_inspection(hst_page *p);
void hst_page_steps(hst_page *p);
void hst_page_skipped(hst_page *p);
void hst_page_making(hst_page *p);
void hst_page_job(hst_page *p);
void hst_page_model(hst_page *p);
#endif

/* facts_rich.h - headers of the formats that a helper decodes, as far as they are cheap to read. */
#ifndef HST_IMAGES_FACTS_RICH_H
#define HST_IMAGES_FACTS_RICH_H
#include "images/facts.h"

/* A size that no picture of ours has stays 0. */
void hst_facts_set_size(hst_facts *f, uint32_t w, uint32_t h);
/* Fill what they find of size, bits, orientation and flags; f starts as the format alone. */
void hst_facts_tiff(const uint8_t *bytes, size_t n, hst_facts *f); /* without 64-bit offsets */
void hst_facts_heif(const uint8_t *bytes, size_t n, hst_facts *f); /* HEIC and AVIF: the size */
void hst_facts_jp2(const uint8_t *bytes, size_t n, hst_facts *f);
#endif

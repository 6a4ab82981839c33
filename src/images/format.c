#include "images/format.h"

#include "base/str.h"
#include "headstart.h"

#include <string.h>

/* First bytes; '?' stands for any byte. */
static const struct magic {
    const char *bytes;
    size_t n;
    enum hst_format format;
} magics[] = {
    {"\xff\xd8\xff", 3, HST_FORMAT_JPEG},
    {"\x89PNG\r\n\x1a\n", 8, HST_FORMAT_PNG},
    {"GIF8", 4, HST_FORMAT_GIF},
    {"RIFF????WEBP", 12, HST_FORMAT_WEBP},
    {"BM", 2, HST_FORMAT_BMP},
    {"II*\0", 4, HST_FORMAT_TIFF},
    {"MM\0*", 4, HST_FORMAT_TIFF},
    {"II+\0", 4, HST_FORMAT_TIFF}, /* with offsets of 64 bits */
    {"MM\0+", 4, HST_FORMAT_TIFF},
    {"????ftypavi", 11, HST_FORMAT_AVIF},
    {"????ftyphei", 11, HST_FORMAT_HEIC},
    {"????ftyphev", 11, HST_FORMAT_HEIC},
    {"????ftypmif1", 12, HST_FORMAT_HEIC}, /* or AVIF: is_avif */
    {"????ftypmsf1", 12, HST_FORMAT_HEIC},
    {"\xff\x0a", 2, HST_FORMAT_JXL},
    {"\0\0\0\x0cJXL ", 8, HST_FORMAT_JXL},
    {"\0\0\0\x0cjP  ", 8, HST_FORMAT_JP2},
    {"\xff\x4f\xff\x51", 4, HST_FORMAT_JP2}, /* the codestream without a file around it */
    {"8BPS", 4, HST_FORMAT_PSD},
    {"<svg", 4, HST_FORMAT_SVG},
    {"qoif", 4, HST_FORMAT_QOI},
    {"P7\n", 3, HST_FORMAT_PAM},
};

enum { ENDINGS = 6 };

/* HST_WITH_...: 1 where meson found the library. */
static const struct {
    const char *name, *endings[ENDINGS];
    int is_read;
    const char *library; /* that an optional format takes */
} formats[HST_FORMATS] = {
    [HST_FORMAT_UNKNOWN] = {"unknown", {NULL}, 0, NULL},
    [HST_FORMAT_JPEG] = {"JPEG", {".jpg", ".jpeg", ".jfif", ".jpe", ".mpo"}, 1, NULL},
    [HST_FORMAT_PNG] = {"PNG", {".png", ".apng"}, 1, NULL},
    [HST_FORMAT_GIF] = {"GIF", {".gif"}, HST_WITH_GIF, "giflib"},
    [HST_FORMAT_WEBP] = {"WebP", {".webp"}, HST_WITH_WEBP, "libwebp"},
    [HST_FORMAT_BMP] = {"BMP", {".bmp"}, 1, NULL},
    [HST_FORMAT_TIFF] = {"TIFF", {".tif", ".tiff"}, HST_WITH_TIFF, "libtiff"},
    [HST_FORMAT_HEIC] = {"HEIC", {".heic", ".heif", ".hif"}, HST_WITH_HEIF, "libheif"},
    [HST_FORMAT_AVIF] = {"AVIF", {".avif"}, HST_WITH_AVIF, "libavif"},
    [HST_FORMAT_JXL] = {"JPEG XL", {".jxl"}, HST_WITH_JXL, "libjxl"},
    [HST_FORMAT_JP2] = {"JPEG 2000",
                        {".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf"},
                        HST_WITH_JP2,
                        "openjpeg"},
    [HST_FORMAT_PSD] = {"Photoshop", {".psd"}, 0, NULL},
    [HST_FORMAT_SVG] = {"SVG", {".svg"}, 0, NULL},
    [HST_FORMAT_PNM] = {"PNM", {".pnm", ".pbm", ".pgm", ".ppm"}, 1, NULL},
    [HST_FORMAT_QOI] = {"QOI", {".qoi"}, 1, NULL},
    [HST_FORMAT_ICO] = {"ICO", {".ico", ".cur"}, 1, NULL},
    [HST_FORMAT_PAM] = {"PAM", {".pam"}, 0, NULL},
    [HST_FORMAT_DICOM] = {"DICOM", {".dcm"}, 0, NULL},
    [HST_FORMAT_NIFTI] = {"NIfTI", {".nii", ".nii.gz"}, 0, NULL},
};

/* "P1" to "P6" and white space. */
static int is_pnm(const uint8_t *b, size_t n)
{
    return n >= 3 && b[0] == 'P' && b[1] >= '1' && b[1] <= '6' &&
           (b[2] == ' ' || (b[2] >= '\t' && b[2] <= '\r'));
}

/* Whether the bytes begin with the pattern. */
static int begins(const uint8_t *bytes, size_t n, const char *pattern, size_t length)
{
    size_t same = 0;
    while (same < length && same < n &&
           (pattern[same] == '?' || (uint8_t)pattern[same] == bytes[same]))
        same++;
    return same == length;
}

/* 0 u16, 1 or 2 (a cursor) u16, number of pictures u16: with fewer than 256 but with one, to tell
 * it from what else begins with zeros, such as a TGA. */
static int is_icon(const uint8_t *b, size_t n)
{
    return n >= 6 && !b[0] && !b[1] && (b[2] == 1 || b[2] == 2) && !b[3] && b[4] && !b[5];
}

/* length u32 | "ftyp" | brand | version u32 | further brands. A file whose brand names the
 * container alone says further on what is coded in it. */
static int is_avif(const uint8_t *b, size_t n)
{
    if (!begins(b, n, "????ftypmif1", 12) && !begins(b, n, "????ftypmsf1", 12))
        return 0;
    const uint32_t length =
        (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    for (size_t at = 16; at + 4 <= n && at + 4 <= length && at + 4 <= HST_FORMAT_MAGIC_BYTES;
         at += 4)
        if (begins(b + at, 4, "avif", 4) || begins(b + at, 4, "avis", 4))
            return 1;
    return 0;
}

enum hst_format hst_format_of(const uint8_t *bytes, size_t n)
{
    if (is_icon(bytes, n))
        return HST_FORMAT_ICO;
    if (is_pnm(bytes, n))
        return HST_FORMAT_PNM;
    if (n >= 132 && !memcmp(bytes + 128, "DICM", 4))
        return HST_FORMAT_DICOM;
    if (is_avif(bytes, n))
        return HST_FORMAT_AVIF;
    for (size_t m = 0; m < sizeof magics / sizeof *magics; m++)
        if (begins(bytes, n, magics[m].bytes, magics[m].n))
            return magics[m].format;
    return HST_FORMAT_UNKNOWN;
}

const char *hst_format_other(const uint8_t *bytes, size_t n)
{
    static const char page[] = "a web page (HTML)", film[] = "a film";
    static const struct {
        const char *bytes, *what;
    } others[] = {
        {"<!DOCTYPE", page},
        {"<!doctype", page},
        {"<html", page},
        {"<HTML", page},
        {"<?xml", "a text in XML"},
        {"%PDF", "a PDF document"},
        {"PK\3\4", "a ZIP archive"},
        {"\x1f\x8b", "packed by gzip"},
        {"Rar!", "a RAR archive"},
        {"7z\xbc\xaf", "a 7-Zip archive"},
        {"????ftyp", film},
        {"\x1a\x45\xdf\xa3", film},
        {"RIFF????AVI ", film},
        {"version https://git-lfs", "a pointer of Git LFS (git lfs pull fetches the file)"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (begins(bytes, n, others[i].bytes, strlen(others[i].bytes)))
            return others[i].what;
    return NULL;
}

const char *hst_format_name(enum hst_format f)
{
    return formats[f].name;
}

int hst_format_is_read(enum hst_format f)
{
    return formats[f].is_read;
}

int hst_format_is_by_helper(enum hst_format f)
{
    return f == HST_FORMAT_TIFF || f == HST_FORMAT_HEIC || f == HST_FORMAT_AVIF ||
           f == HST_FORMAT_JXL || f == HST_FORMAT_JP2;
}

const char *hst_format_needs(enum hst_format f)
{
    return formats[f].is_read ? NULL : formats[f].library;
}

enum hst_format hst_format_of_name(const char *name)
{
    for (int f = 0; f < HST_FORMATS; f++)
        for (size_t e = 0; e < ENDINGS && formats[f].endings[e]; e++)
            if (hst_ends_with_any_case(name, formats[f].endings[e]))
                return (enum hst_format)f;
    return HST_FORMAT_UNKNOWN;
}

const char *hst_photo_format(int i, const char **needs)
{
    const enum hst_format f = (enum hst_format)(i + 1); /* behind HST_FORMAT_UNKNOWN */
    if (i < 0 || f >= HST_FORMATS)
        return NULL;
    const char *library = hst_format_needs(f);
    if (needs)
        *needs = hst_format_is_read(f) ? NULL : library ? library : "";
    return hst_format_name(f);
}

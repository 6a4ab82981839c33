/* tree.h - what lies below a folder of photos, or in an archive of them, before any photo is read.
 *
 * What a tree is made of is one file's affair (tree_folder.c: a folder on disk); what is found in
 * it another's (folders.c: class folders and sides), which cannot tell where the tree came from.
 *
 * A maker: hst_tree_begin, hst_tree_add_file and hst_tree_add_folder in any order (folders that
 * files lie in need not be told), then hst_tree_end. The maker says how the first bytes of a file
 * are had (head), and how a folder is entered that it left closed (enter), where there are such. */
#ifndef HST_DATASET_TREE_H
#define HST_DATASET_TREE_H
#include "base/context.h"
#include "base/mem.h"
#include "images/format.h"

typedef struct hst_tree_file {
    const char *path;  /* for hst_photo_read: root + "/" + below */
    const char *below; /* below the root, '/' between: "cat/1.jpg"; borrowed from path */
} hst_tree_file;

enum hst_tree_state {
    HST_TREE_OPEN,   /* what lies in it is in the tree */
    HST_TREE_CLOSED, /* not looked into: its name is that of a hidden folder or of junk */
    HST_TREE_LINK,   /* not looked into: a link to a folder */
    HST_TREE_UNREAD  /* could not be read */
};

typedef struct hst_tree_folder {
    const char *path, *below; /* as of a file, without a slash at the end */
    enum hst_tree_state state;
    const char *why; /* HST_TREE_UNREAD: a message with the path in it; else NULL */
} hst_tree_folder;

/* A file that cannot be read. */
#define HST_TREE_NO_HEAD ((size_t)-1)

typedef struct hst_tree hst_tree;
struct hst_tree {
    hst_arena *arena; /* borrowed: of every string here */
    const char *root; /* without a slash at the end, but for "/" */
    /* Both in byte order of below, so that what lies below a folder is one run of files. The root
     * is none of the folders. */
    hst_tree_file *file;
    hst_tree_folder *folder;
    size_t n_files, n_folders, files_cap, folders_cap;
    /* The first bytes of file i, at most HST_FORMAT_MAGIC_BYTES; returns how many there were, or
     * HST_TREE_NO_HEAD. NULL: none can be had. */
    size_t (*head)(const hst_tree *t, size_t i, uint8_t *head);
    /* Opens folder i, which is CLOSED or a LINK: adds what lies in it, and below it in folders that
     * are neither. NULL where a tree has no such folders. */
    int (*enter)(hst_tree *t, size_t i, hst_err *err);
    void *source; /* the maker's, borrowed */
};

/* ---- to make one ---- */

/* arena outlives the tree, and what is taken from it. Errors: HST_EMEM. */
HST_CHECK int hst_tree_begin(hst_tree *t, hst_arena *arena, const char *root, hst_err *err);
/* below is copied. why: for HST_TREE_UNREAD, else NULL; copied. */
HST_CHECK int hst_tree_add_file(hst_tree *t, const char *below, hst_err *err);
HST_CHECK int hst_tree_add_folder(hst_tree *t, const char *below, enum hst_tree_state state,
                                  const char *why, hst_err *err);
/* Sorts, adds the folders that only files told of (OPEN), and leaves one of equal names: to be
 * called again when more was added. */
HST_CHECK int hst_tree_end(hst_tree *t, hst_err *err);
void hst_tree_clear(hst_tree *t); /* {0} is fine; strings stay in the arena */

/* A folder on disk and all below it. Links to folders are not followed, but for dir itself, and
 * hidden or junk folders (hst_is_junk) not looked into: enter does. A folder in it that cannot be
 * read is UNREAD. Errors: HST_EDATA (no such folder, a file, no permission, too deep), HST_EIO,
 * HST_EMEM. */
HST_CHECK int hst_tree_of_folder(hst_tree *t, hst_arena *arena, const char *dir, hst_err *err);

/* The members of an archive file, without the folder that all of it is wrapped in. root is the
 * archive's path, with that folder. Errors: those of hst_archive_open. */
HST_CHECK int hst_tree_of_archive(const hst_ctx *ctx, hst_tree *t, hst_arena *arena,
                                  const char *path, hst_err *err);
/* Whichever path is. */
HST_CHECK int hst_tree_of(const hst_ctx *ctx, hst_tree *t, hst_arena *arena, const char *path,
                          hst_err *err);
/* The first bytes of a file on disk, as of hst_tree.head. */
size_t hst_tree_read_head(const char *path, uint8_t *head);

/* ---- to use one ---- */

/* What programs and systems leave beside photos, by one name out of a path: hidden names (".x"),
 * Thumbs.db, desktop.ini, __MACOSX, @eaDir, ... */
int hst_is_junk(const char *name);

/* The folder of that path below the root; n_folders: none. */
size_t hst_tree_find(const hst_tree *t, const char *below);
/* Likewise a file; n_files: none. */
size_t hst_tree_find_file(const hst_tree *t, const char *below);
/* The files in folder "below" and deeper are [*first, *end); "": all. */
void hst_tree_files(const hst_tree *t, const char *below, size_t *first, size_t *end);
/* Likewise the folders in it, itself not counted. */
void hst_tree_folders(const hst_tree *t, const char *below, size_t *first, size_t *end);
/* The part of below that is under folder: hst_tree_under("train/cat/1.jpg", "train") is
 * "cat/1.jpg"; all of it with folder "". */
const char *hst_tree_under(const char *below, const char *folder);
/* Opens folder i where it is not (see enter); indices change. */
HST_CHECK int hst_tree_enter(hst_tree *t, size_t i, hst_err *err);
#endif

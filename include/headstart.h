/* headstart.h - image transfer learning: the whole public interface of libheadstart.
 *
 * True for every function below unless its comment says otherwise:
 *
 *  Handles (hst_xxx *) are opaque. hst_xxx_open/load/compute makes one, hst_xxx_free/close ends it;
 *    free(NULL) does nothing. Who made a handle frees it, before the handles it was made from (a
 *    session before its model, everything before the context).
 *  Errors. A function that can fail takes hst_err *err last (may be NULL) and returns 0, a negative
 *    HST_E... code, or NULL (makers). On failure every output is left as it was. Any that allocates
 *    can fail with HST_EMEM. A void function cannot fail.
 *  Ownership. Pointers in results (texts, structs, rows) belong to the handle they came from and
 *    are valid until it is freed, those given to a callback until it returns. What is passed in is
 *    copied where it is kept.
 *  Structs that may grow have their size in bytes first. Options start from hst_xxx_default().
 *    Where the library fills a struct of the caller's, the caller sets size = sizeof it, and the
 *    library writes no further. Structs of the library's own say by size how much they have:
 *    HST_HAS(). docs/abi.md has the rule, and what else may change from one version to the next.
 *  Threads. hst_ctx, hst_backbone, hst_data, hst_features and hst_model never change once made and
 *    may be shared by threads. Everything else: one thread at a time.
 *  Units are in the names: _px, _bytes, _s, _ms. Accuracy and the like are 0..1; probabilities are
 *    float, sum 1 (but see hst_model_target). Images are 8-bit RGB, rows top to bottom. int flags
 *    are 0 or 1.
 *  Stable is what is not marked [experimental]; that may change in any version.
 *
 * The library never prints, exits or aborts. It reads the environment in hst_config_from_env()
 * only. */
#ifndef HEADSTART_H
#define HEADSTART_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define HST_API   __attribute__((visibility("default")))
#define HST_CHECK __attribute__((warn_unused_result))

/* Of this header; hst_version() is that of the library in use. */
#define HST_VERSION_MAJOR 0
#define HST_VERSION_MINOR 1
#define HST_VERSION_PATCH 0

/* 1 where the struct at p, which the library made, is long enough to have the field. Only needed
 * for fields that came with a later version than the oldest library to be run with. */
#define HST_HAS(p, field)                                                                          \
    ((size_t)((const char *)(&(p)->field + 1) - (const char *)(p)) <= (p)->size)

/* ---- errors ---- */

/* One list makes the enum, hst_strcode(), the program's exit codes and the table in the manual:
 * name, code, exit code of the program, text. */
#define HST_ERRORS(X)                                                                              \
    X(HST_EMEM, -1, 7, "out of memory")                                                            \
    X(HST_EARG, -2, 2, "bad argument")                                                             \
    X(HST_EIO, -3, 6, "read or write failed, or no space left")                                    \
    X(HST_EIMAGE, -4, 3, "the image cannot be used")                                               \
    X(HST_EMODEL, -5, 4, "the model or weight file cannot be used")                                \
    X(HST_EDATA, -6, 3, "the image folder cannot be used")                                         \
    X(HST_EUNSUP, -7, 1, "valid, but not supported here")                                          \
    X(HST_ENET, -8, 5, "download failed")                                                          \
    X(HST_EHASH, -9, 5, "content does not match its checksum")                                     \
    X(HST_ESTOPPED, -10, 130, "stopped by the caller")                                             \
    X(HST_EPROC, -11, 1, "a helper program failed")

enum hst_code {
    HST_OK = 0,
#define HST_ENUMERATOR(name, value, exit_code, text) name = value,
    HST_ERRORS(HST_ENUMERATOR)
#undef HST_ENUMERATOR
};

/* Filled on failure; needs no memory of its own, so it can also say "out of memory". msg is one
 * line of printable UTF-8: control characters from file names or file contents are shown as '?'.
 * Never grows. */
typedef struct hst_err {
    int code;
    char msg[1024];
} hst_err;

/* The text of a code, for example "out of memory"; "unknown error" for any other number. Static. */
HST_API const char *hst_strcode(int code);

/* "0.1.0", of the library that runs. Static. */
HST_API const char *hst_version(void);

/* ---- context ---- */

typedef struct hst_ctx hst_ctx;           /* threads, kernels, cache, log: one a program is usual */
typedef struct hst_backbone hst_backbone; /* graph + weights + preparation, no head */
typedef struct hst_model hst_model;       /* backbone + head + labels + training record */
typedef struct hst_session hst_session;   /* a model's working memory: one per predicting thread */
typedef struct hst_data hst_data;         /* a scanned folder: paths, labels, split rule */
typedef struct hst_features hst_features; /* what the backbone saw: one vector per usable photo */
typedef struct hst_run hst_run;           /* what training did: split, skipped files, evaluation */
typedef struct hst_eval hst_eval;         /* what evaluation found: predictions and metrics */

/* Progress of anything long. Called by one thread of a job at a time, but not always by the same
 * one. Return non-zero to stop: the function cleans up and returns HST_ESTOPPED. */
typedef struct hst_progress {
    size_t size;
    /* The phase: "ranges", "features", "head", "learning rate", "training", "validation" */
    const char *what;
    uint64_t done, total;  /* total 0: unknown */
    double per_s;          /* items per second since the phase began */
    int in_bytes;          /* 1: the items are bytes */
    double loss, accuracy; /* "training": of the epoch so far; negative: none */
} hst_progress;
typedef int hst_progress_fn(void *arg, const hst_progress *p);

/* Called by any thread of a job. line: no newline at its end. */
enum hst_log_level { HST_LOG_INFO = 0, HST_LOG_WARN = 1 };
typedef void hst_log_fn(void *arg, int level, const char *line);

typedef struct hst_config {
    size_t size;
    int threads;           /* 0: all processors this process may use */
    const char *cpu;       /* NULL: best here; a name of hst_cpu_variant: "avx2" */
    const char *cache_dir; /* where backbones and features are kept; NULL: nothing is kept */
    const char *helper;    /* path of headstart-convert; NULL: the one that came with the library */
    int offline;           /* 1: never start a download */
    int no_store;          /* 1: features are neither looked up in the cache nor kept there */
    int rehash;            /* 1: photos are hashed again, even where size and time say unchanged */
    uint64_t store_max_bytes; /* feature store: over this the oldest vectors go; default 2 GiB */
    hst_log_fn *log;          /* NULL: silent */
    void *log_arg;
    hst_progress_fn *progress; /* NULL: none */
    void *progress_arg;
    /* Hubs. Addresses: NULL for the public one. Tokens and keys: NULL for none; each goes to its
     * own hub only. Caches of other programs: NULL where there is none. */
    const char *hf_endpoint, *hf_token, *hf_token_file; /* the file is read when it is needed */
    const char *hf_cache; /* downloads of hf: names go there, in Hugging Face's layout */
    const char *kaggle_endpoint, *kaggle_user, *kaggle_key, *kaggle_cache;
    const char *tfhub_cache, *keras_home, *torch_home; /* read, never written */
    const char *mirror; /* https://host/path is asked of mirror/host/path; same hashes */
    const char *http_proxy, *https_proxy, *no_proxy; /* NULL: none */
    const char *ca_file;                             /* certificates; NULL: the system's */
    int retry_ms;        /* wait before the second try, doubled for each further one; 0: 1000 */
    int stall_s;         /* so long without a byte is a failure; 0: 30 */
    const char *decoder; /* path of headstart-decode; NULL: the one that came with the library */
    /* Several processes that share the work, as mpirun starts them (docs/cluster.md): how many, and
     * which this is, from 0. ranks below 2: this one alone. */
    int ranks, rank;
    const char *mpi; /* path of headstart-mpi.so; NULL: the one that came with the library */
    int patience_s;  /* a process without a sign of life for so long ends the job; 0: 10 */
} hst_config;

/* Defaults: all processors, best kernels, no cache, silent. */
HST_API void hst_config_init(hst_config *cfg, size_t size);
static inline hst_config hst_config_default(void)
{
    hst_config cfg;
    hst_config_init(&cfg, sizeof cfg);
    return cfg;
}

/* The defaults, then HEADSTART_CACHE (else XDG_CACHE_HOME/headstart, else HOME/.cache/headstart),
 * HEADSTART_CPU, HEADSTART_NO_STORE, HEADSTART_THREADS, HEADSTART_HELPER, HEADSTART_DECODER,
 * HEADSTART_OFFLINE (or HF_HUB_OFFLINE), HEADSTART_MIRROR, HEADSTART_RETRY_MS, HEADSTART_STALL_S,
 * HEADSTART_MPI, HEADSTART_PATIENCE_S; what mpirun and srun tell the processes that they start
 * (OMPI_COMM_WORLD_SIZE and _RANK, PMI_SIZE and PMI_RANK, SLURM_STEP_NUM_TASKS and PMIX_RANK); and
 * what the hubs' own programs read: HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH,
 * HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HOME, HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE,
 * KAGGLE_API_ENDPOINT, KAGGLE_USERNAME, KAGGLE_KEY, KAGGLEHUB_CACHE, TFHUB_CACHE_DIR, KERAS_HOME,
 * TORCH_HOME, TMPDIR; http_proxy, HTTPS_PROXY, ALL_PROXY and NO_PROXY in small or (not the first)
 * capital letters; CURL_CA_BUNDLE or SSL_CERT_FILE. The strings are borrowed from the environment
 * or, for composed paths, from thread-local storage that the next call on this thread overwrites;
 * hst_open() copies them. */
HST_API void hst_config_init_env(hst_config *cfg, size_t size);
static inline hst_config hst_config_from_env(void)
{
    hst_config cfg;
    hst_config_init_env(&cfg, sizeof cfg);
    return cfg;
}

/* cfg NULL: the defaults. Errors: HST_EARG (a thread count below 0 or above 1024, an unknown
 * instruction set; processes of one job that differ in version or bits), HST_EUNSUP (the processor
 * or operating system lacks the named one; nothing is here that connects processes), HST_EPROC (a
 * process is gone), HST_EMEM.
 *
 * After fork() a child may go on with all that its parent opened, and close it; its threads are its
 * own. But where the parent was inside a call with the context at that moment, on whichever thread
 * (a callback is inside its call), the child must leave the context alone, closing it included. */
HST_API HST_CHECK hst_ctx *hst_open(const hst_config *cfg, hst_err *err);
HST_API void hst_close(hst_ctx *ctx); /* of one process of several: waits for the others */

/* Which process of several this is, from 0, and how many there are; alone: 0 and 1. All make the
 * same calls in the same order, and rank 0 writes the files: what a function delivers photo by
 * photo it delivers there alone, what it returns in the end it returns on every rank. */
HST_API int hst_process_rank(const hst_ctx *ctx);
HST_API int hst_process_count(const hst_ctx *ctx);
HST_API const char *hst_process_host(const hst_ctx *ctx, int rank); /* NULL past the end */
/* This process can do no more calls, since `why`: those of the others fail with that. 1: it is the
 * one to tell the user; 0: another is. */
HST_API int hst_give_up(hst_ctx *ctx, const hst_err *why);

/* Where one job's log and progress go. NULL: where the context's go. */
typedef struct hst_callbacks {
    size_t size;
    hst_log_fn *log;
    void *log_arg;
    hst_progress_fn *progress;
    void *progress_arg;
} hst_callbacks;
HST_API void hst_callbacks_init(hst_callbacks *c, size_t size);
static inline hst_callbacks hst_callbacks_default(void)
{
    hst_callbacks c;
    hst_callbacks_init(&c, sizeof c);
    return c;
}

/* A view of ctx whose log and progress go elsewhere: for a job among others, as in a server. It
 * takes the place of ctx in any call and shares all else with it. Cheap; any number at once, made
 * and used by any thread. hst_close ends it, before ctx; handles made with it may outlive it, but
 * not ctx. Errors: HST_EARG, HST_EMEM. */
HST_API HST_CHECK hst_ctx *hst_ctx_with(const hst_ctx *ctx, const hst_callbacks *c, hst_err *err);

HST_API int hst_processors(void);                /* that this process may use */
HST_API int hst_threads(const hst_ctx *ctx);     /* threads in use */
HST_API const char *hst_cpu(const hst_ctx *ctx); /* kernels in use: "avx2" */
/* The i-th instruction set compiled in, best last, and whether this machine can run it; NULL past
 * the end. usable may be NULL. */
HST_API const char *hst_cpu_variant(int i, int *usable);
/* The i-th precision that features may be of (hst_backbone_opts), "fp32" first, and whether it is
 * faster than fp32 with the kernels in use; NULL past the end. is_faster may be NULL. */
HST_API const char *hst_precision(const hst_ctx *ctx, int i, int *is_faster);
/* [experimental] The i-th format of photos, "JPEG"; NULL: no more. *needs (may be NULL): NULL where
 * this build reads it; else the library that a build needs for it, "libheif", "" where no build
 * reads it. */
HST_API const char *hst_photo_format(int i, const char **needs);
/* The i-th other library that a build may do without, whether this one was built with it, and what
 * it is for, as in "this build can read WebP"; NULL past the end. does and is_here may be NULL.
 * What needs one that is not there fails with HST_EUNSUP; a photo that does, with HST_EIMAGE. */
HST_API const char *hst_build_part(int i, const char **does, int *is_here);

/* ---- backbones ---- */

/* Where a backbone is named, the name is one of
 *   mobilenet_v2                        a short name (hst_backbone_name lists them), in any case,
 *                                       with '-' or '_' or without
 *   hf:org/name[/file][@revision]       Hugging Face; timm/name is hf:timm/name
 *   keras:NAME, torchvision:NAME        a weight file of these libraries
 *   https://tfhub.dev/..., https://www.kaggle.com/models/..., or their handles without the host
 *   https://...                         a weight file anywhere
 *   a file (.safetensors, .pth, ...), or a folder with model.safetensors and config.json
 *   several of these with '+' between: side by side, the features of one behind those of another
 * What is not here is fetched, checked against the strongest hash known, and kept. Content that no
 * hash is known for must stay what it was the first time. What another program has in its cache
 * (hst_config) is not fetched again. */

/* The i-th short name, NULL past the end; *cached (may be NULL): 1 if it is here. */
HST_API const char *hst_backbone_name(const hst_ctx *ctx, int i, int *cached);

/* One line of a list of backbones. Belongs to the library. */
typedef struct hst_backbone_entry {
    size_t size;
    const char *name;
    const char *sources; /* of a short name: where it may come from, "keras:..., hf:..."; else "" */
    uint64_t bytes;      /* kept for it on this machine; 0: not here */
    int known;           /* 1: a short name */
    int cached;          /* 1: nothing would have to be fetched */
    const char *licence; /* of a short name, as are the following */
    int usual;           /* 1: one to choose from first */
    uint64_t n_params;   /* without the classifier, about; 0: not known */
    double
        top1; /* accuracy on ImageNet that the publisher states, of the whole network; 0 as well */
    const char *kind; /* "convolutions", "transformer"; of no short name: "" */
    double gflop;     /* of a photo of its usual size, a multiply-add counts 2; 0: not known */
    int n_features;   /* 0: not known */
} hst_backbone_entry;
typedef int hst_backbone_entry_fn(void *arg, const hst_backbone_entry *e); /* non-zero: stop */
/* All short names, kind by kind, then all others that were fetched, in the order of their names.
 * Errors: HST_EARG (no cache folder), HST_ESTOPPED, HST_EMEM. */
HST_API HST_CHECK int hst_backbone_list(hst_ctx *ctx, hst_backbone_entry_fn *fn, void *arg,
                                        hst_err *err);

/* Fetches a backbone by a name that is no path; does nothing when it is here and whole already,
 * except to ask Hugging Face whether a branch has moved. Errors: HST_EARG (unknown name, no cache),
 * HST_ENET (also: offline), HST_EHASH (another content than is known; nothing is kept), HST_EMODEL,
 * HST_EPROC (no pip), HST_EIO (also: no space), HST_ESTOPPED. */
HST_API HST_CHECK int hst_backbone_pull(hst_ctx *ctx, const char *name, hst_err *err);

/* Reads every kept file of the backbone again and compares its hash. Errors: HST_EHASH, HST_EIO. */
HST_API HST_CHECK int hst_backbone_verify(hst_ctx *ctx, const char *name, hst_err *err);

/* Removes what is kept of a backbone, and the memory of its hash. The caches of other programs,
 * that of Hugging Face among them, are left alone. *freed (may be NULL): bytes. Errors: HST_EIO (it
 * is not here), HST_EARG. */
HST_API HST_CHECK int hst_backbone_remove(hst_ctx *ctx, const char *name, uint64_t *freed,
                                          hst_err *err);
/* Removes what no backbone needs to be used: unfinished downloads, and files of which the converted
 * form is kept. Hashes stay remembered. *freed (may be NULL): bytes. Errors: HST_EARG. */
HST_API HST_CHECK int hst_backbone_prune(hst_ctx *ctx, uint64_t *freed, hst_err *err);

/* Opens a backbone by any name. Foreign files are converted once by the helper and kept in the
 * cache under the hash of the source. Errors: as hst_backbone_pull, and HST_EMODEL (no known
 * network, wrong shapes, NaN weights). */
HST_API HST_CHECK hst_backbone *hst_backbone_open(hst_ctx *ctx, const char *name, hst_err *err);

/* What the caller knows better than a file that does not say it. */
typedef struct hst_backbone_opts {
    size_t size;
    int image_px; /* of a square, 32 .. 1024; 0 (default): as the file, its name or family has it */
    /* NULL (default): as the file or its producer has it; of pixels: "pm1" (-1..1), "01" (0..1),
     * "imagenet" (ImageNet's mean and deviation, on 0..1), "255" (left alone) */
    const char *scaling;
    /* NULL (default): a photo is shown once. Else a list with commas, in which ways it is shown
     * besides; the features are the mean over all of them. "mirror": every view mirrored too;
     * "288": the whole photo at 288 pixels too ("320x160": width x height); "crop": the middle too,
     * 7/8 of the shorter edge. */
    const char *views;
    /* Of products of weights: "fp32", "bf16", "int8" (docs/precision.md), which
     * hst_backbone_calibrate must follow. NULL (default): as the model file has it, else "fp32" */
    const char *precision;
    /* Where the input is to be no square; in image_px's place. Both, or neither: 0 (default). */
    int image_width_px, image_height_px;
    /* What of a transformer's tokens the features are: "cls" (the class token), "mean" (of the
     * patches), "cls+mean" (one behind the other), "map" (what its attention pool makes of them,
     * where it has one). NULL (default): as its publisher has it. Of other networks "mean" alone is
     * known. */
    const char *pool;
} hst_backbone_opts;
HST_API void hst_backbone_opts_init(hst_backbone_opts *o, size_t size);
static inline hst_backbone_opts hst_backbone_opts_default(void)
{
    hst_backbone_opts o;
    hst_backbone_opts_init(&o, sizeof o);
    return o;
}

/* As hst_backbone_open with options (NULL: the defaults), which travel in the backbone and in every
 * model on it. Of several side by side sizes, views, precision and pool are of each. HST_EARG: an
 * unknown scaling, view, precision or pool, a scaling for several, a size out of range. */
HST_API HST_CHECK hst_backbone *hst_backbone_open_with(hst_ctx *ctx, const char *name,
                                                       const hst_backbone_opts *o, hst_err *err);
/* Of several side by side the one behind b, which belongs to the first; NULL: there is none. */
HST_API const hst_backbone *hst_backbone_beside(const hst_backbone *b);
HST_API void hst_backbone_free(hst_backbone *b);

/* [experimental] Copies into parts[cap] what this system enforces on the helper that reads foreign
 * files, of "limits no_new_privs landlock seccomp", with spaces between. Errors: HST_EPROC (no
 * helper). */
HST_API HST_CHECK int hst_sandbox_status(hst_ctx *ctx, char *parts, size_t cap, hst_err *err);
/* [experimental] The same of the helper that decodes TIFF, HEIC, AVIF, JPEG XL and JPEG 2000. */
HST_API HST_CHECK int hst_decode_status(hst_ctx *ctx, char *parts, size_t cap, hst_err *err);

typedef struct hst_backbone_info {
    size_t size;
    const char *family;     /* "mobilenet_v2", "efficientnet_lite0" */
    double width;           /* channel multiplier */
    int image_px;           /* input height and width; 0: they differ (see below) */
    int n_features;         /* length of the feature vector */
    const char *padding;    /* "tf" or "symmetric"; of transformers "" */
    double bn_epsilon;      /* of batch norm or layer norm */
    uint64_t n_params;      /* as Keras counts: weights and batch-norm statistics */
    uint64_t n_statistics;  /* of those, batch-norm moving means and variances */
    double mean[3], std[3]; /* input = (pixel - mean) / std for red, green, blue in 0..255 */
    const char *scaling;    /* mean and std as hst_backbone_opts calls them, or "" */
    const char *source;     /* file name it was read from, without folders */
    const char *sha256;     /* of that file, hex */
    const char *format;     /* "Keras 3 archive"; "safetensors" for one that is read as it is */
    const char *producer;   /* the program that wrote it, where the file says so; else "" */
    /* How its publisher brings photos to image_px, where a config.json says so ("hub" of
     * hst_features_compute), else "": "squash", "crop-torchvision" or "crop-hf" (the shorter edge
     * to resize_px, then the middle), "bilinear" or "bicubic". */
    int resize_px; /* 0: nothing is cut out, or as below */
    const char *geometry, *interpolation;
    const char *precision; /* of its features: "fp32", "bf16", "int8" */
    int image_width_px, image_height_px;
    /* What the photo covers, in proportion, before the middle is cut out; 0: nothing is. */
    int resize_width_px, resize_height_px;
    const char *pool; /* as in hst_backbone_opts; "mean" of networks of convolutions */
    /* Of transformers, else 0: the side of a patch, how many blocks, numbers a token. */
    int patch_px, n_blocks, n_token;
    const char *licence; /* of its weights; "": not known */
} hst_backbone_info;
/* Belongs to b. */
HST_API const hst_backbone_info *hst_backbone_describe(const hst_backbone *b);

/* ---- speed [experimental] ---- */

typedef struct hst_rate { /* amount a second, of several rounds. Never grows */
    double best, median;
} hst_rate;

typedef struct hst_speed {
    size_t size;
    int threads;
    hst_rate peak_one, peak_all;     /* fp32 multiply-adds on registers alone, of one thread and of
                                        all: the processor's limit. FLOP/s, a multiply-add is 2 */
    hst_rate copy;                   /* memory read and written by all threads, bytes/s */
    hst_rate images_one, images_all; /* through the network, prepared before: images/s */
    double image_flops;              /* of one image */
    int rounds, rounds_shared; /* all rounds; those left out of the above, for somebody else ran on
                                  a processor core at the same time (unless fewer than three are
                                  left: then all count) */
} hst_speed;

/* Measures the backbone's network beside the limits of the machine, round by round for about
 * at_least_s seconds (three rounds at least). out->size is set by the caller. Errors: HST_EARG,
 * HST_ESTOPPED, HST_EMEM. */
HST_API HST_CHECK int hst_speed_measure(hst_ctx *ctx, const hst_backbone *b, double at_least_s,
                                        hst_speed *out, hst_err *err);

/* Where a network's time goes: its steps, in order, on one thread. A step is a layer, or several
 * that are run as one. What bounds it from below (a roofline: Williams et al. 2009): its arithmetic
 * at the processor's limit; its data, each byte read once from the cache where it lies by then. */
typedef struct hst_step_speed {
    size_t size;
    const char *kind;            /* "inverted residual" */
    const char *layer;           /* the first of its layers that has weights; "" */
    int in[3], out[3];           /* height, width, channels of what it reads and makes */
    double flops;                /* a multiply-add is 2 */
    double weight_bytes;         /* of its weights as they lie in memory */
    double best_s, median_s;     /* of one image, over the rounds */
    double arithmetic_s, data_s; /* what they would take alone */
} hst_step_speed;
typedef struct hst_profile hst_profile;

/* NULL: an error (HST_EARG, HST_ESTOPPED, HST_EMEM). The backbone must live as long. */
HST_API HST_CHECK hst_profile *hst_profile_measure(hst_ctx *ctx, const hst_backbone *b,
                                                   double at_least_s, hst_err *err);
/* The i-th step, belongs to p; NULL past the end. */
HST_API const hst_step_speed *hst_profile_at(const hst_profile *p, int i);
HST_API void hst_profile_free(hst_profile *p);

/* ---- data: photos with labels ---- */

/* Makes a data set be a folder of photos with a sub-folder for each class: one known by name
 * (hst_data_name), or a .zip, .tar, .tar.gz, .tar.zst, .tar.xz or .tar.bz2 by its https://...
 * address, its file://... address or its path here (which hst_data_open reads where it lies: it
 * need not be pulled). dir: where to put it, a folder that is not there yet or empty; NULL: in the
 * cache, where hst_data_open finds what has a name or https://... address by the same, and where
 * nothing is done when it is there. path[cap]: of that folder, which appears whole or not at all.
 * An archive that would write outside of it, holds links, or unpacks to far more than its size is
 * refused. Errors: HST_EARG (unknown name, no cache), HST_ENET, HST_EHASH, HST_EDATA (the archive),
 * HST_EIO (also: no space, dir holds something), HST_ESTOPPED, HST_EMEM. */
HST_API HST_CHECK int hst_data_pull(hst_ctx *ctx, const char *name, const char *dir, char *path,
                                    size_t cap, hst_err *err);
/* The i-th data set known by name, NULL past the end; bytes of its archive, and whether it is in
 * the cache (both may be NULL). */
HST_API const char *hst_data_name(const hst_ctx *ctx, int i, uint64_t *bytes, int *here);

enum hst_side { HST_TRAIN = 0, HST_VALIDATION = 1, HST_UNSPLIT = 2 };

typedef struct hst_data_opts {
    size_t size;
    /* "stable" (default): a photo's side depends on its content and the seed alone, so it stays
     * when others come or go, and copies stay together. But one photo of each class always trains:
     * where all of a class would be kept aside, one is not, and photos that come or go may move one
     * photo of that class. A class of few photos may have none kept aside. "keras", "none" */
    const char *split;
    double val_part;     /* 0 < val_part < 1, default 0.2 */
    uint64_t seed;       /* default 42 */
    const char *val_dir; /* a folder of its own for validation (class folders as in dir), or a list
                            where dir is one; or NULL */
    /* What is used of data in parts (train/, valid/, test/). NULL: "train" to train on and "val" to
     * validate, "test" being left aside (it validates where there is no other; with split "none"
     * all is taken). "train", "val", "test": that alone. "held": "test" where there is such, else
     * "val", else all. "none": folders of these names are classes. */
    const char *part;
    /* A folder in dir that is not looked at, as the caller writes to it; or NULL. */
    const char *except;
    /* Of lists (docs/data.md). Columns by name or number; NULL: those that there is no doubt about.
     * label_column: several with ',' between, of several labels. */
    const char *path_column, *label_column, *split_column;
    const char *images; /* folder that the paths of a list are below; NULL: that of the list */
    /* Not NULL: labels are in the photos' paths below the folder; the first group of this POSIX
     * extended regular expression. */
    const char *label_from;
    int multi_label; /* 1: HST_TARGET_LABELS, any number of labels a photo */
    /* Characters between labels in a cell; NULL: '|', else ';', else ',', as the list has them. */
    const char *label_separator;
    const char *target; /* not NULL: HST_TARGET_NUMBER, the numbers in that column */
} hst_data_opts;
HST_API void hst_data_opts_init(hst_data_opts *o, size_t size);
static inline hst_data_opts hst_data_opts_default(void)
{
    hst_data_opts o;
    hst_data_opts_init(&o, sizeof o);
    return o;
}

/* Scans dir/class_name/photo.jpg (folders below a class count for that class); dir may also be the
 * name of a data set that hst_data_pull put into the cache and no folder here has. Classes are the
 * sub-folders with photos, in code-point order; a file is a photo by the ending of its name or else
 * by its first bytes (hst_is_photo), and with split "keras" exactly where
 * keras.utils.image_dataset_from_directory lists it. Folders in parts (train/, valid/, test/, under
 * any usual name) are the sides; one folder around all is gone into. dir may also be a list of
 * photos and labels (CSV, JSON ...), or a folder that holds one; docs/data.md has all of it. What
 * is not taken is told by hst_data_left_out and logged in one line. No photo is read yet, but with
 * multi_label those that may be copies. o NULL: the defaults. Errors: HST_EDATA (no folder, no
 * permission, no class, no photos; names of parts that fit no layout; a class's name that is not
 * UTF-8; a list that leaves a doubt; with split other than "none": fewer than two classes; with
 * "keras": too few photos), HST_EARG (unknown split, part, val_part), HST_EMEM. */
HST_API HST_CHECK hst_data *hst_data_open(hst_ctx *ctx, const char *dir, const hst_data_opts *o,
                                          hst_err *err);
/* Why a file, or a whole folder, among photos was not taken. */
enum hst_left {
    HST_LEFT_FORMAT,   /* a picture of a format that this build does not read */
    HST_LEFT_NO_PHOTO, /* no picture */
    HST_LEFT_EMPTY,    /* a file of no bytes */
    HST_LEFT_OUTSIDE,  /* a photo outside the class folders */
    HST_LEFT_FOLDER,   /* a folder that is none of those used, with all that is in it */
    HST_LEFT_CLASS,    /* the folder of a class that has no photos */
    HST_LEFT_UNREAD,   /* no permission to read it */
    HST_LEFT_MISSING,  /* in a list, but not there */
    HST_LEFT_KERAS,    /* a photo that Keras does not list (split "keras") */
    HST_LEFT_BESIDE,   /* no picture, and beside the class folders: a README */
    HST_LEFT_JUNK,     /* hidden, or of those that systems leave behind: Thumbs.db, __MACOSX */
    HST_LEFT_LABEL,    /* in a list, without a label that can be used */
    HST_LEFT_UNLISTED, /* a photo that the folder's list does not name */
    HST_LEFT_JOINED,   /* several labels: a copy, whose labels another file has now */
    HST_LEFTS
};
/* The i-th file or folder that was found and not taken, in order of paths, and why; NULL past the
 * end. *reason is one line for people. why and reason may be NULL. */
HST_API const char *hst_data_left_out(const hst_data *d, size_t i, enum hst_left *why,
                                      const char **reason);
/* All of them in one line, which was logged at the scan too: "6 files are not photos that can be
 * read: 3 .heic (install libheif), 2 .mov, 1 without an ending". NULL: nothing was left out. */
HST_API const char *hst_data_left_summary(const hst_data *d);
/* What the scan made of the folder where that is not plain ("train/ and valid/ are the two sides"),
 * one line, which was logged too; NULL: class folders, no more. */
HST_API const char *hst_data_understood(const hst_data *d);
/* 1: hst_data_open would take that file of a class folder for a photo, by its name or else by its
 * first bytes. 0: not; *why says why, and what[cap] of what kind it is: ".mov". */
HST_API int hst_is_photo(const char *path, enum hst_left *why, char *what, size_t cap);
/* n files without labels, in this order (label -1). */
HST_API HST_CHECK hst_data *hst_data_from_files(const char *const *paths, size_t n, hst_err *err);
/* The photos of an archive (pets.zip), of a folder in one (pets.zip/cat), or one of them
 * (pets.zip/cat/1.jpg), without labels, in byte order. Such paths are read wherever a photo's path
 * is taken. Errors: HST_EDATA (no archive, damaged, no photos), HST_EIO, HST_EMEM, HST_ESTOPPED. */
HST_API HST_CHECK hst_data *hst_data_from_archive(hst_ctx *ctx, const char *path, hst_err *err);
HST_API void hst_data_free(hst_data *d);
HST_API size_t hst_data_count(const hst_data *d);
HST_API int hst_data_classes(const hst_data *d);
HST_API const char *hst_data_class(const hst_data *d, int label); /* NULL out of range */
HST_API const char *hst_data_path(const hst_data *d, size_t i);   /* NULL out of range */
HST_API int hst_data_label(const hst_data *d, size_t i);          /* -1: none or out of range */

/* What is known of each photo, and so what a model says of one. */
enum hst_target {
    HST_TARGET_CLASS = 0,  /* it is of one class: hst_data_label */
    HST_TARGET_LABELS = 1, /* it has any number of labels, also none: hst_data_marks */
    HST_TARGET_NUMBER = 2  /* a number: hst_data_number; hst_data_class(d, 0) is its name */
};
HST_API enum hst_target hst_data_target(const hst_data *d);
/* [hst_data_classes()] 1: photo i has that label, 0: it has not. NULL: the photos have a class or a
 * number, or i is out of range. */
HST_API const uint8_t *hst_data_marks(const hst_data *d, size_t i);
/* NaN: the photos have no numbers, or i is out of range. */
HST_API double hst_data_number(const hst_data *d, size_t i);

/* Photos of which the caller knows several labels or a number. */
typedef struct hst_labelled {
    size_t size;
    const char *const *paths; /* [n] */
    size_t n;
    const char *const *names; /* [n_names] the labels; of numbers the one name of what they are */
    int n_names;
    const uint8_t *marks;  /* [n][n_names] 0 or 1: which labels each photo has; or NULL, and */
    const double *numbers; /* [n] finite */
    const int *sides;      /* [n] HST_TRAIN or HST_VALIDATION; NULL: the options' split */
} hst_labelled;
HST_API void hst_labelled_init(hst_labelled *l, size_t size);
static inline hst_labelled hst_labelled_default(void)
{
    hst_labelled l;
    hst_labelled_init(&l, sizeof l);
    return l;
}
/* o NULL: the defaults; of a split "stable" or "none". Errors: HST_EARG (marks and numbers, or
 * neither; names that are empty or equal; a mark that is neither 0 nor 1; a number that is not
 * finite; split "keras" or a val_dir), HST_EDATA (no photo), HST_EMEM. */
HST_API HST_CHECK hst_data *hst_data_from_labelled(const hst_labelled *l, const hst_data_opts *o,
                                                   hst_err *err);

/* ---- features ---- */

/* Runs every photo through the frozen backbone. prepare: "pil" (Pillow's pixels), "tf"
 * (TensorFlow's), "fast" (as "pil", but a JPEG at least twice too large is decoded at a half or a
 * quarter of its size), "scaled" (as "pil", but 16-bit gray, which Pillow clips at
 * 255, is stretched over 8 bits), "hub" (Pillow's, as the backbone's publisher resizes and crops,
 * see hst_backbone_info), or NULL for the default: pil, or scaled where there are such photos,
 * which is logged. All but "hub" may end in ",squash", ",crop" or ",pad": hst_train_opts.fit. A
 * photo that cannot be read or decoded is left out, with a reason, and logged; it never stops the
 * job. A photo's features have the same bits for any number of threads. Errors: HST_ESTOPPED,
 * HST_EMEM, HST_EARG (also: "hub", of which the backbone says nothing), HST_EDATA (no photo at all
 * could be used). */
HST_API HST_CHECK hst_features *hst_features_compute(hst_ctx *ctx, const hst_backbone *b,
                                                     const hst_data *d, const char *prepare,
                                                     hst_err *err);
HST_API void hst_features_free(hst_features *f);

/* Finds the ranges of numbers that a backbone of precision "int8" needs, and those beside it, from
 * up to 100 photos of the training side (of all photos where there are no sides), all over the
 * data (d NULL: from two made-up pictures, which is good for measuring speed and nothing else);
 * nothing where it is of another precision or has them from its model file. Without them it
 * computes no features. prepare as of hst_features_compute. Errors: as of that. */
HST_API HST_CHECK int hst_backbone_calibrate(hst_ctx *ctx, hst_backbone *b, const hst_data *d,
                                             const char *prepare, hst_err *err);

/* Which precision to open a backbone with. */
typedef struct hst_precision_choice {
    size_t size;
    const char *precision;          /* "bf16". Static */
    size_t n;                       /* photos that it was tried on; 0: none was */
    double accuracy, accuracy_fp32; /* of n photos, cross-validated */
    char words[160];                /* why it is that one, a line */
} hst_precision_choice;
/* The fastest precision of which cross-validation on 200 photos of the training side says that it
 * costs less than 0.1 points of accuracy (docs/precision.md); where it cannot say so, "fp32". b is
 * of precision "fp32"; prepare as of hst_features_compute. out->size is set by the caller. Errors:
 * as of hst_features_compute. */
HST_API HST_CHECK int hst_precision_choose(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                                           const char *prepare, hst_precision_choice *out,
                                           hst_err *err);
/* What b's precision costs: the same comparison with "fp32", as words and numbers; n is 0 where it
 * cannot be made, and the words say why. Errors: as hst_precision_choose. */
HST_API HST_CHECK int hst_precision_cost(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                                         const char *prepare, hst_precision_choice *out,
                                         hst_err *err);
HST_API size_t hst_features_count(const hst_features *f); /* photos, as in the data */
HST_API size_t hst_features_used(const hst_features *f);  /* of those, with a vector */
HST_API int hst_features_dim(const hst_features *f);
/* [dim] floats of photo i, or NULL where it was skipped. */
HST_API const float *hst_features_row(const hst_features *f, size_t i);
/* Why photo i was skipped; NULL where it was not. */
HST_API const char *hst_features_skipped(const hst_features *f, size_t i);
/* Of those used, how many came from the feature store without a forward pass. */
HST_API size_t hst_features_stored(const hst_features *f);
/* SHA-256 of photo i's bytes, 64 hex digits; "" where it could not be read. */
HST_API const char *hst_features_sha256(const hst_features *f, size_t i);
/* path: NumPy .npy, float32 [used][dim], or .safetensors (tensor "features"), and beside it a .csv
 * of path,label; or .csv: the numbers are there, too. Whole or not at all. Errors: HST_EIO. */
HST_API HST_CHECK int hst_features_save(const hst_features *f, const hst_data *d, const char *path,
                                        hst_err *err);

/* Both in one, rows being written as they come: memory does not grow with them. What it returns has
 * no rows (hst_features_row: NULL; hst_features_sha256: ""). Of data with hst_data_shard() it is of
 * that shard's photos alone, of which none need be usable. Errors: as of both. */
HST_API HST_CHECK hst_features *hst_features_stream(hst_ctx *ctx, const hst_backbone *b,
                                                    const hst_data *d, const char *prepare,
                                                    const char *path, hst_err *err);

/* ---- shards: one job as an array of tasks ---- */

/* A shard is one task's part of a job: of n photos in the order of their listing those from
 * (index - 1) n / count to index n / count, for an index of 1 .. count. The last line of what a
 * task writes says which shard of which job it is, as JSON; hst_shards_merge() joins them. A shard
 * is one thread's. */
typedef struct hst_shard hst_shard;
/* job: up to 255 bytes of text, all that the rows depend on but the photos: the same in every task.
 * Errors: HST_EARG (index, count, job), HST_EMEM. */
HST_API HST_CHECK hst_shard *hst_shard_new(int index, int count, const char *job, hst_err *err);
HST_API void hst_shard_free(hst_shard *s);
/* The next photo of the listing, of which every task tells all. Errors: HST_EMEM. */
HST_API HST_CHECK int hst_shard_list(hst_shard *s, const char *path, hst_err *err);
/* Of those that were listed *first .. *end - 1 are this shard's. Errors: HST_EARG (fewer photos
 * than shards). */
HST_API HST_CHECK int hst_shard_range(const hst_shard *s, size_t *first, size_t *end, hst_err *err);
/* The line to put behind the rows of all of them, without its newline, once; headers: lines in
 * front of the rows, 0 or 1. Belongs to s; NULL: HST_EMEM. */
HST_API HST_CHECK const char *hst_shard_line(hst_shard *s, int headers, hst_err *err);

/* hst_features_stream() on this data is to be of one shard, and leaves in the .csv the line above;
 * all other functions go on to see all photos. Errors: HST_EARG (index, count, fewer photos than
 * shards). */
HST_API HST_CHECK int hst_data_shard(hst_data *d, int index, int count, hst_err *err);

/* Joins n files of rows, in any order, or of features (.npy, .safetensors, a .csv beside each), to
 * the bytes at `out` that the job would have written as one task. Errors: HST_EDATA (one is no
 * shard, or damaged; one is missing or there twice; they are of other jobs or photos), HST_EARG,
 * HST_EIO, HST_EMEM. */
HST_API HST_CHECK int hst_shards_merge(const char *const *paths, size_t n, const char *out,
                                       hst_err *err);

/* The feature store in the cache folder. info->size is set by the caller. A store that does not
 * exist is empty. Errors: HST_EARG (no cache folder), HST_EIO (unreadable). */
typedef struct hst_store_info {
    size_t size;
    uint64_t vectors, files; /* kept feature vectors; files whose hash is remembered */
    uint64_t bytes, max_bytes;
} hst_store_info;
HST_API HST_CHECK int hst_store_describe(const hst_ctx *ctx, hst_store_info *info, hst_err *err);
/* Removes it, and one set aside as damaged. Errors: HST_EARG (no cache folder), HST_EIO. */
HST_API HST_CHECK int hst_store_clear(const hst_ctx *ctx, hst_err *err);

/* ---- training ---- */

typedef struct hst_train_opts {
    size_t size;
    /* "auto" (default): multinomial logistic regression on frozen features, to convergence.
     * "tutorial": what the classic TF Hub retraining tutorial does, on a mobilenet_v2 backbone:
     *   Dropout, Dense and a few epochs of SGD, in Keras' arithmetic (docs/from-tf-hub.md).
     * "fine-tune": the head as "auto" trains it, then the backbone learns as well, from photos that
     *   are changed a little each time, at a low rate, and the head is trained as before once more.
     *   Minutes instead of seconds. */
    const char *recipe;
    /* As in hst_features_compute; NULL (default): as there; tutorial: "tf", its only one. */
    const char *prepare;
    /* Of folds, first weights, order, dropout, augmentation (the split has its own). Default 42. */
    uint64_t seed;
    /* Not tutorial: how much a photo of each class counts, 1 in the mean. NULL or "none": all
     * alike; "balanced": every class the same, however many photos; "power:0.5": balanced's
     * weights to that power, 0..4; else a CSV file with a line label,weight for each class. */
    const char *class_weight;

    /* Of recipes tutorial and fine-tune; auto takes none of them. 0, NULL or, for a double, a
     * negative number (all of them as hst_train_opts_default() gives them) stand for the recipe's
     * own value, which is given here. */

    /* tutorial 5, fine-tune 3. An epoch of tutorial is n / batch steps for n photos on the training
     * side, one of fine-tune is every photo once. */
    int epochs;
    int batch; /* tutorial 16, fine-tune 32 */
    /* "sgd" (tutorial), "nesterov", "adam", "adamw" (fine-tune), "rmsprop" */
    const char *optimizer;
    /* Of sgd and nesterov 0.005; of the others tutorial 0.001, fine-tune 0.0003. 0, where the
     * backbone learns: found before training by a range test (Smith 2017) of at most 100 steps on
     * the photos to learn from, which begin at the same weights and are then forgotten. */
    double learning_rate;
    double momentum; /* 0.9; of sgd and nesterov only */
    double l2;       /* of the kernel's squares, added to the loss: tutorial 1e-4, fine-tune 0 */
    double label_smoothing; /* 0.1: this part of the target is spread over all classes */
    double dropout;         /* 0.2: part of the features set to 0 in each training step */

    /* Of recipe fine-tune, and of recipe tutorial with fine_tune = 1, which is what the tutorial's
     * do_fine_tuning does: all layers learn, on batch statistics. */

    int fine_tune;
    const char *thaw; /* which layers learn: "all" (default), "last:N", "from:LAYER" */
    /* "batch" (tutorial): batch statistics, moving averages with decay 0.99; "frozen" (fine-tune):
     * weights learn, statistics stay */
    const char *batch_norm;
    /* How a photo is changed each time it is learned from: "none" (tutorial), "tutorial", "auto"
     * (fine-tune). Tutorial with fine_tune = 0 has it, too: its features are then computed anew in
     * every step, and it takes as long as a forward pass per photo and epoch does. */
    const char *augment;
    const char *schedule; /* "constant" (tutorial), "cosine", "one-cycle" (fine-tune) */
    double layer_decay;   /* 1: a layer's learning rate is this times that of the layer behind it */
    double clip; /* a longer gradient is shortened to this; 0: never. tutorial 0, fine-tune 1 */
    /* 0: never; else training ends when so many epochs in a row did not lower the loss on the
     * validation side, and the weights of the best epoch are taken. The accuracy measured there is
     * then a little too good. */
    int patience;
    /* An existing folder for checkpoints: after each epoch, when stopped, and after every
     * checkpoint_steps steps (0: not). NULL (default): no checkpoints. */
    const char *run_dir;
    int checkpoint_steps;
    int resume; /* 1: goes on from run_dir's checkpoint, where there is one, to the same bytes */
    /* Of recipes tutorial and fine-tune again. */
    double warmup; /* 0; 0: epochs (0.5: half of the first) over which the learning rate rises in a
                      straight line to its peak, in place of the schedule's own rise */
    double ema; /* 0; 0: above 0, the mean of the weights over the steps is evaluated and saved, and
                   this is its decay (in early steps less); batch norm's statistics are the last */
    /* Of recipe auto. 0 (default) to 3: how much is tried for features that serve these photos
     * better than the backbone's own: 1 transforms of them; 2 views, and a second backbone that is
     * in the cache (for some 4 times the passes of 0); 3 more backbones, and the first one fine-
     * tuned beside itself (60 times; then the final head learns from the training side). A step is
     * kept where cross-validation on the training side says that it helps; nothing is downloaded.
     * The model owns the backbones that were added. */
    int effort;
    double time_s; /* 0; above 0: seconds that effort may take (0: effort 3); steps that should take
                      longer are left out, so the model depends on the machine's speed */
    /* Of recipe fine-tune. "best" (default): a fifth of the training side is kept from the
     * backbone, and on these photos it is chosen as it was, as it became, or halfway between.
     * "tuned": it learns from all of them and stays as it became. */
    const char *keep;
    /* Where the backbone learns: 0; above 0, the photos of a step are mixed in pairs, with their
     * labels, by parts drawn from Beta(mixup, mixup); or each has a rectangle of the other, whose
     * area is drawn from Beta(cutmix, cutmix). With both, every step takes one of the two. */
    double mixup, cutmix;
    /* Not tutorial: how often the model is to expect each class. NULL or "as-trained": as among the
     * photos it learned from; "balanced": all alike; else a CSV file with a line label,share for
     * each class. Probabilities are divided by the shares among the photos, times these shares;
     * that changes the head's bias alone, after training. Epochs are scored as trained. */
    const char *prior;
    /* Of recipe auto. 0 (default) to 100: augmented views of each photo to learn from besides it,
     * changed as augment "auto" does. A photo and its views weigh as one photo and are held out
     * together in cross-validation, which counts photos as they are. */
    int augmented;
    /* Of recipe auto: what the final head learns from. "train": the training side, and the other
     * side measures it. "all": every usable photo; then the accuracy is measured out of fold: each
     * photo is judged by a head that learned from four fifths of the others. NULL or "auto": "all"
     * where hst_data_open made a "stable" split, else "train". */
    const char *final;
    /* Of recipe auto, not with augmented: "none" (NULL, default); "drop": photos whose label
     * classifiers that had not seen them contradict are not learned from; "weights": a photo
     * weighs by the probability of its label. Done only where cross-validation says that it helps
     * with the photos that are not contradicted; the record's "robust_n" is how many weigh less
     * than half. */
    const char *robust;
    /* Of recipe auto: 1: the learning curve is made (hst_run_curve) whatever it costs; 0 (default):
     * where it costs little, which is up to some thousand photos of a few classes. */
    int learning_curve;
    /* Not tutorial: negative (default): 0.05; up to 0.5: the part of photos of its classes that the
     * model may call unknown by mistake (hst_prediction's unknown_score). 0: it calls none so. For
     * it the model keeps what it compares photos with: at most 1.5 MB. */
    double unknown_rate;
    /* Not tutorial, nor with "hub": how a photo of another shape becomes the network's size.
     * "squash" (default): stretched; "crop": resized in proportion until it covers that, and the
     * middle of it; "pad": resized in proportion until it fits in, on a ground of the network's
     * mean colour (middle gray where that is black). */
    const char *fit;
} hst_train_opts;
HST_API void hst_train_opts_init(hst_train_opts *o, size_t size);
static inline hst_train_opts hst_train_opts_default(void)
{
    hst_train_opts o;
    hst_train_opts_init(&o, sizeof o);
    return o;
}

/* What a setting's text may be. */
enum hst_setting_type {
    HST_SETTING_INT,    /* a whole number */
    HST_SETTING_REAL,   /* a decimal number; its point is a point in every locale */
    HST_SETTING_CHOICE, /* one of words */
    HST_SETTING_FLAG,   /* "1" or "0" */
    HST_SETTING_TEXT    /* any but the empty one */
};
/* One field of hst_train_opts (all but size, run_dir and resume, which are about this run alone).
 */
typedef struct hst_setting {
    const char *name;  /* "lr", as the command line has it */
    const char *field; /* "learning_rate", as hst_train_opts and hst_model_record have it */
    int type;          /* enum hst_setting_type */
    /* Of a choice, NULL at their end; of a number the one word that it may be instead, which stands
     * as 0 in hst_train_opts; else NULL. */
    const char *const *words;
    const char *value;  /* else what stands for the value in a manual: "N"; of a flag NULL */
    const char *unit;   /* of a number, where it has one: "photos"; else NULL */
    double least, most; /* of a number */
    int above_least, below_most; /* 1: least, most themselves are not among them */
    const char *help;            /* a few words on it, in sentences */
    const char *section;         /* of a manual: "everyday", "accuracy", "fine-tuning", "expert" */
} hst_setting;
/* The i-th setting, NULL past the end. Static. */
HST_API const hst_setting *hst_train_setting(int i);
/* The text of what the setting is where nothing is said, with o's recipe, fine_tune and optimizer
 * (o NULL: the default recipe); NULL: that recipe has no such setting. Static. */
HST_API const char *hst_train_setting_default(const hst_setting *s, const hst_train_opts *o);
/* Sets one, by name or field, from text. A text without words of its own (thaw) is borrowed, not
 * copied. Errors: HST_EARG (no such setting, not such a value), and *o stays as it was. */
HST_API HST_CHECK int hst_train_opts_set(hst_train_opts *o, const char *name, const char *text,
                                         hst_err *err);
/* What hst_train would refuse of o by itself, before there is a backbone or a photo. Errors:
 * HST_EARG. */
HST_API HST_CHECK int hst_train_opts_check(const hst_train_opts *o, hst_err *err);

/* features -> split -> head -> evaluation over the whole validation side -> where "final" says so a
 * head of all photos, evaluated out of fold; nothing is written to disk. o NULL: the defaults. run
 * (may be NULL) receives what happened; it borrows b and d, as the model borrows b. Errors: those
 * of hst_features_compute; HST_EARG (an unknown word, an option or a backbone that the recipe does
 * not take, a number out of range, training that diverges, a checkpoint made for something else);
 * HST_EDATA when a class keeps no usable training photo, (tutorial) there are fewer photos than a
 * batch, or the validation side has none, which only split "stable" may leave, without recipe
 * tutorial and patience (then nothing is measured); HST_EMODEL (a damaged checkpoint); HST_EIO (one
 * that cannot be written). Stopped while the backbone learns, it finishes the step and saves a
 * checkpoint. */
HST_API HST_CHECK hst_model *hst_train(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                                       const hst_train_opts *o, hst_run **run, hst_err *err);
/* Writes the run's files into dir, which is made when it is not there: model.safetensors,
 * labels.txt, args.json, results.csv, split.csv, predictions.csv, skipped.csv, report.html,
 * timing.csv, and of a run of two epochs or more curves.png and curves.svg (loss and accuracy) and
 * photo.png (the first validation photo with its labels); where photos were changed, augmented.png.
 * Equal runs write equal bytes, but for timing.csv, the only one with clock values. Each file
 * appears whole or not at all, the model last; then a checkpoint in dir is removed. Errors:
 * HST_EIO, HST_EMEM. */
HST_API HST_CHECK int hst_run_save(const hst_run *r, const hst_model *m, const char *dir,
                                   hst_err *err);
/* What only the caller knows of a job, for its report. NULL: not said. */
typedef struct hst_report_opts {
    size_t size;
    const char *date;    /* "2026-11-27 03:16 UTC", shown as it is */
    const char *command; /* what was typed */
    const char *model;   /* of an evaluation: the model's file, */
    const char *photos;  /* and the folder, from which on paths are shown */
} hst_report_opts;
HST_API void hst_report_opts_init(hst_report_opts *o, size_t size);
static inline hst_report_opts hst_report_opts_default(void)
{
    hst_report_opts o;
    hst_report_opts_init(&o, sizeof o);
    return o;
}
/* The same with a section "This run" in report.html (<section id="job">): date, command, folder and
 * seconds, all in it that differs between equal runs. o NULL: as hst_run_save. */
HST_API HST_CHECK int hst_run_save_with(const hst_run *r, const hst_model *m,
                                        const hst_report_opts *o, const char *dir, hst_err *err);
HST_API void hst_run_free(hst_run *r);
HST_API size_t hst_run_trained(const hst_run *r); /* photos the head learned from */
HST_API size_t hst_run_skipped(const hst_run *r); /* photos left out */
HST_API size_t hst_run_stored(const hst_run *r);  /* photos whose features were stored */
/* The evaluation that stands for the model; owned by r. Where the final head learned from all
 * photos: out of fold, of every usable photo but the only one of a class, which was never held out;
 * the interval of its accuracy is wider than of as many independent photos (docs/measuring.md).
 * Else of the validation side, which may have no photo: then nothing was measured. */
HST_API const hst_eval *hst_run_eval(const hst_run *r);
/* Of the validation side, by a head of the training side; owned by r. The same as hst_run_eval()
 * where that is the final head. */
HST_API const hst_eval *hst_run_holdout(const hst_run *r);
HST_API int hst_run_side(const hst_run *r, size_t i); /* enum hst_side of photo i of the data */
/* How accurate a head is that learned from 10, 20, 40, 80 and 100 % of the photos, each judged on
 * photos that it had not seen, and what more photos would bring. */
enum { HST_CURVE_POINTS = 5 };
typedef struct hst_learning_curve {
    size_t size;
    double part[HST_CURVE_POINTS];   /* 0.1 .. 1 */
    double photos[HST_CURVE_POINTS]; /* learned from, in the mean of five draws; copies once */
    double accuracy[HST_CURVE_POINTS], low[HST_CURVE_POINTS], high[HST_CURVE_POINTS];
    /* So many photos more are foreseen to raise the accuracy of the final model by gain, with a
     * 95 % interval; in points: times 100. */
    uint64_t more;
    double gain, gain_low, gain_high;
    int gaining;       /* the class whose recall rises most; -1: none by more than a point */
    double class_gain; /* of that class, for twice as many photos */
    /* "200 more photos would bring about +1.0 points (0.3 to 1.9); class roses gains most" */
    char words[320];
} hst_learning_curve;
/* Belongs to r; NULL: not made. It is made with opts.learning_curve, or where it costs little. */
HST_API const hst_learning_curve *hst_run_curve(const hst_run *r);
/* One step of effort: a change of the features that was tried. */
typedef struct hst_effort_step {
    size_t size;
    char what[96];             /* "transform sqrt" */
    double log_loss, accuracy; /* out of fold, on the training side; of a fine-tuned backbone on the
                                  photos that were kept from it */
    double cost; /* passes of a photo that it adds, counted in those of the first view */
    double seconds;
    double l2; /* of the head: the strength that cross-validation chose */
    int kept;
} hst_effort_step;
/* The i-th, belongs to r; the first (always kept) is what it began with. NULL past the end. */
HST_API const hst_effort_step *hst_run_step(const hst_run *r, size_t i);

/* ---- model ---- */

/* path: of a model file, of a run's folder, which holds model.safetensors, or of a model that was
 * exported or that another program has made (docs/foreign.md). The model has its own backbone.
 * Errors: HST_EMODEL (no model that is known, damaged, refused), HST_EPROC, HST_EIO, HST_EMEM. */
HST_API HST_CHECK hst_model *hst_model_load(hst_ctx *ctx, const char *path, hst_err *err);
/* What the file of another program may not say of its model. NULL: what it says or is usual; where
 * that is taken for granted, one line of the log says so. */
typedef struct hst_model_opts {
    size_t size;
    const char *labels;  /* a file of the names of its classes: a line each, or JSON */
    const char *scaling; /* of pixels, as in hst_backbone_opts */
    const char *prepare; /* how photos are brought to its size, as in hst_features_compute */
} hst_model_opts;
HST_API void hst_model_opts_init(hst_model_opts *o, size_t size);
static inline hst_model_opts hst_model_opts_default(void)
{
    hst_model_opts o;
    hst_model_opts_init(&o, sizeof o);
    return o;
}
/* HST_EARG as well: an option for a model of ours, which says all of it. */
HST_API HST_CHECK hst_model *hst_model_load_with(hst_ctx *ctx, const char *path,
                                                 const hst_model_opts *o, hst_err *err);
/* The file appears whole or not at all. Errors: HST_EIO, HST_EMEM, HST_EUNSUP (a model of another
 * program that has layers in front of its head). */
HST_API HST_CHECK int hst_model_save(const hst_model *m, const char *path, hst_err *err);
HST_API void hst_model_free(hst_model *m);
HST_API int hst_model_classes(const hst_model *m);
HST_API const char *hst_model_label(const hst_model *m, int i); /* NULL out of range */
HST_API uint64_t hst_model_head_params(const hst_model *m);     /* numbers behind the features */
/* What it says of a photo: one of its classes; some of its labels, each with a probability of its
 * own, so that they do not sum to 1; or a number, whose name is the one label, and which stands
 * where probabilities do otherwise. */
HST_API enum hst_target hst_model_target(const hst_model *m);
/* Of labels: the probability from which on a photo has label i, chosen in training for the largest
 * F1 of the label; else, and out of range, NaN. */
HST_API double hst_model_threshold(const hst_model *m, int i);
/* Of a number: the ends of the interval around a predicted value that holds part (0.8 or 0.95) of
 * the true ones, by how far off predictions were of photos that had not been learned from. 0: there
 * is none: the photos were too few (9, 39), the part is another, the model tells no number. */
HST_API int hst_model_interval(const hst_model *m, double part, double value, double *low,
                               double *high);
/* Of a number: the least and the most that it has learned from; 0: not known, or no number. */
HST_API int hst_model_range(const hst_model *m, double *least, double *most);
/* The first, where there are several. Belongs to m where that was loaded or its backbone learned,
 * else the one it was trained on. */
HST_API const hst_backbone *hst_model_backbone(const hst_model *m);
HST_API const hst_backbone *hst_model_backbone_at(const hst_model *m, int i); /* NULL: no more */
/* What a prediction costs: the arithmetic of all networks for a photo, against that of the first
 * one at its own size; *passes (may be NULL): how often a photo goes through a network. */
HST_API double hst_model_cost(const hst_model *m, int *passes);
/* Backbones and views for people: "efficientnet_lite0 224, 224 mirrored; mobilenet_v2 224". Written
 * into buf[cap] like snprintf. Returns its length without the NUL, always below 1024. */
HST_API size_t hst_model_extractor(const hst_model *m, char *buf, size_t cap);
/* A line of the training record: "recipe", "seed", "split", "prepare", "val_accuracy", "val_n",
 * "val_ci_low", "val_ci_high" (of the validation side, by a head of the training side), "n_train"
 * (photos the head learned from), "l2", "content_sha256"; where there is more than one view or
 * backbone "views"; of recipe auto "final" ("all" or "train") and, with all photos,
 * "oof_accuracy", "oof_n", "oof_ci_low", "oof_ci_high" (out of fold); where the head was calibrated
 * "temperature" (its logits were divided by it), "log_loss_uncalibrated" and "log_loss_calibrated"
 * (of the held-out photos that it was chosen on); where it can tell unknown photos "unknown_rate"
 * and "unknown_n" (photos that set the threshold); where there is one "prior"
 * ("balanced", or the shares in the order of the labels); of recipes tutorial and fine-tune also
 * "epochs", "batch", "optimizer", "learning_rate", "momentum", "label_smoothing", "dropout" and,
 * where they were used, "warmup", "ema" and "augment"; where the backbone learned also "thaw",
 * "thawed_params" (how many learned), "batch_norm", "augment", "schedule", "layer_decay", "clip",
 * "patience", where they were used "mixup" and "cutmix", where the learning rate was found
 * "learning_rate_from" ("range test") and, with patience, "best_epoch"; of recipe fine-tune
 * "head_l2" (auto's, of the head it ends with) and, where photos were kept from the backbone,
 * "kept" ("frozen", "halfway" or "tuned"), "kept_aside_n" and the log losses on them,
 * "kept_aside_loss_frozen", "_halfway" and "_tuned"; NULL: not recorded. "l2" is what the recipe
 * calls so: auto l2/2 |kernel|^2, tutorial l2 |kernel|^2. */
HST_API const char *hst_model_record(const hst_model *m, const char *key);
/* 1: the model can tell photos of none of its classes (hst_session_unknown). */
HST_API int hst_model_tells_unknown(const hst_model *m);
/* The model's layers as a table in the form of tf_keras' model.summary(), for the head of recipe
 * tutorial byte for byte: "keras_layer" is the frozen backbone, "dropout" is there where the head
 * was trained with it, "dense" is the head; sizes are those of float32 parameters. Written into
 * buf[cap] like snprintf: cut and NUL-terminated where it does not fit (buf may be NULL with cap
 * 0). Returns its length without the NUL, always below 2048. */
HST_API size_t hst_model_summary(const hst_model *m, char *buf, size_t cap);

/* ---- prediction ---- */

/* A photo that is the only one at the time is computed on all threads of the context (16 at most);
 * photos of several sessions, each on its own thread. Same bits. */
HST_API HST_CHECK hst_session *hst_session_open(hst_ctx *ctx, const hst_model *m, hst_err *err);
HST_API void hst_session_free(hst_session *s);
/* prob[n], n = hst_model_classes(m). Errors: HST_EIMAGE, HST_EIO, HST_EARG (n differs). */
HST_API HST_CHECK int hst_predict_file(hst_session *s, const char *path, float *prob, size_t n,
                                       hst_err *err);
HST_API HST_CHECK int hst_predict_bytes(hst_session *s, const void *bytes, size_t n_bytes,
                                        float *prob, size_t n, hst_err *err);

/* How far the photo that the session predicted last is beyond what the model knows: above 0 it is
 * most likely of none of its classes, and what prob says of it means little. NaN: the model cannot
 * tell (hst_train_opts' unknown_rate was 0, recipe tutorial, too few photos, a model from before
 * there was this), or there was no photo yet, or an error. */
HST_API double hst_session_unknown(const hst_session *s);

/* A picture in memory. */
typedef struct hst_pixels {
    size_t size;
    const uint8_t *rgb; /* [height][row_bytes]: red, green and blue of each pixel */
    int width_px, height_px;
    size_t row_bytes; /* from one row to the next; 0 (default): 3 * width_px, dense rows */
} hst_pixels;
HST_API void hst_pixels_init(hst_pixels *p, size_t size);
static inline hst_pixels hst_pixels_default(void)
{
    hst_pixels p;
    hst_pixels_init(&p, sizeof p);
    return p;
}
/* As hst_predict_file of pixels; HST_EARG also where they are none, or too many. */
HST_API HST_CHECK int hst_predict_rgb(hst_session *s, const hst_pixels *p, float *prob, size_t n,
                                      hst_err *err);

/* One finished photo of hst_predict_stream(). Valid during the call only. */
typedef struct hst_prediction {
    size_t size;
    uint64_t index; /* 0, 1, ... in input order */
    const char *path;
    const char *why;   /* NULL, or the error's line */
    const float *prob; /* [n], or NULL where there is no prediction */
    int n;
    int code;             /* 0, or why there is no prediction */
    const char *picture;  /* of hst_explain_stream(): the file that was written, or NULL */
    double unknown_score; /* hst_session_unknown of it; NaN also where there is no prediction */
    int stored;           /* 1: its features came from the feature store */
} hst_prediction;
/* The next path: copies it (with its NUL) into path[cap] and returns 1; 0: no more; negative: stop
 * with HST_ESTOPPED. */
typedef int hst_next_fn(void *arg, char *path, size_t cap);
typedef int hst_deliver_fn(void *arg, const hst_prediction *p); /* non-zero: stop */
/* Predicts as many files as next gives, on all threads, and delivers them in input order; memory
 * does not grow with their number. A bad photo is delivered with its code; the rest go on. next and
 * deliver are called by one thread at a time each, but at the same time as each other. The feature
 * store is asked and filled as by hst_evaluate, which costs a hash over the networks at the start;
 * with no_store of hst_config, or no cache folder, every photo is computed. Same bits. */
HST_API HST_CHECK int hst_predict_stream(hst_ctx *ctx, const hst_model *m, hst_next_fn *next,
                                         hst_deliver_fn *deliver, void *arg, hst_err *err);

/* ---- where on a photo [experimental] ---- */

/* Class-activation maps (Zhou et al. 2016): where on a photo a model saw what speaks for a class,
 * and against it. The features of every backbone known here are means over the positions of its
 * last feature map, and the head is linear, so each position has its share of a class's logit, and
 * the shares add up to it. Where a branch's features are transformed before the head (square root,
 * unit length), what a feature gives is shared out as the feature itself is; maps of several views
 * and backbones add up, each put back where on the photo it looked. So for every model
 *
 *     mean of the map + bias = logit. */
typedef struct hst_explainer hst_explainer;
typedef struct hst_cam {
    size_t size;
    int label;         /* the class that is explained */
    const float *prob; /* [n] of all classes, as hst_predict_file() gives them */
    int n;
    double logit, bias; /* of the class */
    /* [height][width] over the whole photo: the positions of the last feature map, the finest where
     * there are several. 0: nothing speaks for the class here, nor against it; as of a part of the
     * photo that the model does not look at. A photo is turned as its EXIF data say, unless it is
     * prepared as "tf", which never does. */
    const float *map;
    int width, height;
    double unknown_score; /* as hst_session_unknown() gives it */
} hst_cam;
/* Holds the networks' weights a second time. Errors: HST_EUNSUP (a backbone has no such map),
 * HST_EMEM. */
HST_API HST_CHECK hst_explainer *hst_explainer_open(hst_ctx *ctx, const hst_model *m, hst_err *err);
HST_API void hst_explainer_free(hst_explainer *x);
/* The map of class label, -1: of the one predicted. Costs about what a prediction does. Belongs to
 * x until its next photo, or its end. Errors: as hst_predict_file; HST_EARG (no such class). */
HST_API HST_CHECK const hst_cam *hst_explain_file(hst_explainer *x, const char *path, int label,
                                                  hst_err *err);
HST_API HST_CHECK const hst_cam *hst_explain_bytes(hst_explainer *x, const void *bytes, size_t n,
                                                   int label, hst_err *err);

/* The last photo, at most 480 pixels a side, under what speaks for the class, as PNG: the more, up
 * to the most of this photo, the brighter and denser; a line is around what is at least half of
 * that. The class and its probability are written above it. Errors: HST_EARG (the last photo could
 * not be used, or there was none), HST_EIO, HST_EMEM. */
HST_API HST_CHECK int hst_explain_draw(const hst_explainer *x, const char *path, hst_err *err);
/* What hst_explain_stream() calls, each with arg, as hst_predict_stream() does. */
typedef struct hst_explain_calls {
    size_t size;
    hst_next_fn *next;
    /* Right after next gave a photo: the name of its picture, as next gives that of a photo. 0: it
     * gets none. */
    hst_next_fn *picture;
    hst_deliver_fn *deliver; /* the photo's hst_prediction has the picture's name */
    void *arg;
} hst_explain_calls;
HST_API void hst_explain_calls_init(hst_explain_calls *c, size_t size);
static inline hst_explain_calls hst_explain_calls_default(void)
{
    hst_explain_calls c;
    hst_explain_calls_init(&c, sizeof c);
    return c;
}
/* hst_predict_stream() that draws, as hst_explain_draw() does, the map of the class predicted for
 * each photo. The folders must be there; a picture that cannot be written ends it. Errors: as
 * hst_predict_stream, hst_explainer_open and hst_explain_draw. */
HST_API HST_CHECK int hst_explain_stream(hst_ctx *ctx, const hst_model *m,
                                         const hst_explain_calls *calls, hst_err *err);

/* ---- evaluation ---- */

/* Every photo of d (both sides), labels matched by name. Errors: HST_EDATA when d has a class the
 * model does not know, another target than the model, or nothing usable. */
HST_API HST_CHECK hst_eval *hst_evaluate(hst_ctx *ctx, const hst_model *m, const hst_data *d,
                                         hst_err *err);
HST_API void hst_eval_free(hst_eval *e);
/* A number by its name, and its 95 % interval; docs/evaluation.md has the formulas. Measured on the
 * photos that count: the model has not learned from them, and they are not copies (files with the
 * same pixels) of one before. low and high may be NULL; without both, no work is done for the
 * interval. Both equal the value where there is none. Of no photos (n 0) all but the counts are
 * NaN. HST_EARG: unknown name.
 *  Parts of the photos, with Wilson's interval: "accuracy"; "top_2", "top_3", ...: the true class
 *    is among so many most probable ones (of equal ones the first, as in guess below).
 *  Means over classes, each from a confusion matrix, as scikit-learn has them with zero_division 0:
 *    "balanced_accuracy" (recalls of the classes that have photos); "macro_precision",
 *    "macro_recall", "macro_f1" (of the classes that have photos or were predicted);
 *    "weighted_precision", "weighted_recall", "weighted_f1" (weighted by photos).
 *  Of the probabilities: "log_loss"; "brier" (sum over the classes, 0 to 2); "auroc" (mean over the
 *    classes of each against the rest); "calibration_error" (expected, of hst_eval_reliability).
 *    Their intervals and those of the means are bootstrapped: percentiles of 1,000 samples of the
 *    photos, always the same ones. Where photos were judged out of K folds, a sample has as many as
 *    they are worth, n / (2 - 1/K), as accuracy's has (docs/measuring.md). The calibration error's
 *    is the basic bootstrap, since chance only adds to it; that of auroc, of more than 2^17 photos
 *    times classes, is DeLong's.
 *  Counts: "n" (photos that count); "copies"; "seen" (no copies, but the model has learned from
 *    them; 0 also of a model that does not know); "skipped"; "stored" (photos whose features came
 *    from the feature store). And "seen_accuracy", "imbalance" (photos of the largest class that
 *    has some for one of the smallest), "refused" (photos that count and that the model calls
 *    unknown, guess or not; NaN where it cannot tell).
 * Of photos with several labels, by the thresholds of the model: "map" (mean average precision,
 *  over the labels that have photos); "micro_f1", "micro_precision", "micro_recall"; "macro_f1",
 *  "macro_precision", "macro_recall" (of the labels that have photos or were said of one);
 *  "subset_accuracy" (part of the photos all of whose labels are right, with Wilson's interval;
 *  "seen_accuracy" is that of seen ones); "hamming_loss" (part of all marks that are wrong);
 *  "log_loss" (mean over all marks). Of numbers: "mae" (mean absolute error), "rmse" (root of the
 *  mean square), "r2", "median_absolute_error"; "coverage_80" and "coverage_95" (part of the photos
 *  whose number lies in the model's interval; NaN where it has none). Both have the counts "n",
 *  "copies", "seen", "skipped" and "stored", and no other of the above. */
HST_API HST_CHECK int hst_eval_metric(const hst_eval *e, const char *name, double *value,
                                      double *low, double *high, hst_err *err);
/* Writes report.html and predictions.csv of evaluation e of model m into dir, which is made when it
 * is not there; each appears whole or not at all. o NULL: nothing is said. Errors: HST_EIO,
 * HST_EMEM. */
HST_API HST_CHECK int hst_eval_save(hst_ctx *ctx, const hst_eval *e, const hst_model *m,
                                    const hst_report_opts *o, const char *dir, hst_err *err);
HST_API enum hst_target hst_eval_target(const hst_eval *e);
HST_API int hst_eval_classes(const hst_eval *e);
HST_API const char *hst_eval_label(const hst_eval *e, int c);
HST_API double hst_eval_threshold(const hst_eval *e, int c); /* hst_model_threshold of the model */
/* Photos of class truth that were predicted as guess; 0 out of range. */
HST_API uint64_t hst_eval_confusion(const hst_eval *e, int truth, int guess);
/* The same as a part of the photos of class truth; 0 where it has none. */
HST_API double hst_eval_confusion_part(const hst_eval *e, int truth, int guess);
/* Photos of one class that were taken for another. */
typedef struct hst_confused {
    size_t size;
    int truth, guess;
    uint64_t n;
    double part; /* of the photos of class truth */
} hst_confused;
/* The i-th pair with the most photos, belongs to e; NULL past the last that has any. */
HST_API const hst_confused *hst_eval_confused(const hst_eval *e, size_t i);
/* Photos whose largest probability is about the same: how sure the model is, how often right. */
typedef struct hst_reliability {
    size_t size;
    double above, up_to; /* above < largest probability <= up_to */
    uint64_t n, right;
    double confidence;          /* mean of the largest probabilities; NaN where there is no photo */
    double accuracy, low, high; /* right / n, with Wilson's interval; NaN as well */
} hst_reliability;
/* The i-th of 15 bins of equal width, belongs to e; NULL past the end. The calibration error is the
 * mean over the photos of |accuracy - confidence|. */
HST_API const hst_reliability *hst_eval_reliability(const hst_eval *e, int i);
/* Scores of one class; 0/0 counts as 0, as in scikit-learn. */
typedef struct hst_class_score {
    size_t size;
    double precision, recall, f1;
    uint64_t support; /* photos of that class */
} hst_class_score;
/* Of class c, belongs to e; NULL out of range. */
HST_API const hst_class_score *hst_eval_class(const hst_eval *e, int c);
/* A number with its 95 % interval. Never grows. */
typedef struct hst_estimate {
    double value, low, high;
} hst_estimate;
/* "precision", "recall", "f1" or "auroc" of class c, of labels "ap" (average precision) in place of
 * the last; all NaN where no photo says anything about it.
 * The interval of f1 is Wilson's as well: f1 follows from a proportion, which of the photos that
 * are of the class or were called it are both. HST_EARG: unknown name, no such class. */
HST_API HST_CHECK int hst_eval_class_metric(const hst_eval *e, int c, const char *name,
                                            hst_estimate *out, hst_err *err);
/* One evaluated photo. */
typedef struct hst_eval_photo {
    size_t size;
    const char *path;
    int truth, guess;     /* classes; guess: first of the largest probabilities */
    const float *prob;    /* [hst_eval_classes()] */
    int seen;             /* 1: the model has learned from it */
    int copy;             /* 1: another file with the same pixels comes before it */
    double unknown_score; /* above 0: the model calls it unknown; NaN: it was not asked, or cannot
                             tell (hst_session_unknown) */
    /* Where photos have no class: truth and guess are -1, and */
    const uint8_t *marks; /* [hst_eval_classes()] 1: it has that label; else NULL */
    double number, value; /* true and predicted number; else NaN */
} hst_eval_photo;
/* The i-th of all, those that do not count included; belongs to e; NULL past the end. */
HST_API const hst_eval_photo *hst_eval_at(const hst_eval *e, size_t i);

/* How well photos of no class are told from those of a model's classes. All of photos that count:
 * those that the model has learned from and copies do not. */
typedef struct hst_detection {
    size_t size;
    uint64_t known, refused; /* photos of the classes, and those of them that are called unknown */
    uint64_t unknown, found; /* photos of none, and those of them that are called unknown */
    /* How often an unknown photo has a larger unknown_score than a known one, with its 95 %
     * interval; and the part of the unknown that are accepted where 95 % of the known are. NaN
     * without photos of both kinds. */
    double auroc, auroc_low, auroc_high, fpr95;
    uint64_t seen;    /* given as unknown, but the model has learned from them: not counted */
    uint64_t skipped; /* given as unknown, but of no use */
} hst_detection;
/* e: hst_evaluate's of m on photos of its classes; unknown: photos of none of them, whose labels,
 * if they have any, are not looked at: hst_data_from_files will do. out->size is set by the caller.
 * Errors: HST_EARG (m cannot tell unknown photos; e is not m's), HST_EDATA (nothing usable), and
 * those of hst_features_compute. */
HST_API HST_CHECK int hst_detect(hst_ctx *ctx, const hst_model *m, const hst_eval *e,
                                 const hst_data *unknown, hst_detection *out, hst_err *err);

/* Models compared photo by photo, each with the first. */
typedef struct hst_comparison hst_comparison;
typedef struct hst_compared {
    size_t size;
    uint64_t n, right;              /* photos compared; of these, right with this model */
    double accuracy, low, high;     /* on these photos, with Wilson's interval; NaN without any */
    uint64_t only_first, only_this; /* right with the first model and not with this one; reverse */
    /* McNemar's exact test: how probable it is that photos which only one of the two has right fall
     * as unequally, where both are equally good; NaN without photos, and of the first model itself.
     * adjusted: by Holm's method for so many comparisons; of two models the same. */
    double p_value, p_adjusted;
} hst_compared;
/* Of n >= 2 evaluations of classes, all of the same photos, known by their paths; those that every
 * one of them counts are compared. Errors: HST_EARG (n < 2; a photo that has another class in
 * another evaluation; labels or numbers), HST_EMEM. */
HST_API HST_CHECK hst_comparison *hst_compare(const hst_eval *const *e, int n, hst_err *err);
HST_API void hst_comparison_free(hst_comparison *c);
/* Model i (0 .. n-1) against the first, belongs to c; NULL out of range. */
HST_API const hst_compared *hst_comparison_at(const hst_comparison *c, int i);
/* The k-th photo that some model has right and some other wrong, as model i sees it: belongs to its
 * evaluation. In the order of the first evaluation; NULL past the end. */
HST_API const hst_eval_photo *hst_comparison_differs(const hst_comparison *c, size_t k, int i);

/* ---- inspection: what is wrong with photos, before a model is made [experimental] ---- */

typedef struct hst_inspection hst_inspection;

/* Looks over the photos of a folder: those that cannot be decoded, are cut, dark, blurred ...,
 * copies and near copies (within a class, in several, on both sides), classes that are empty, small
 * or named alike, and files that no scan reads. docs/doctor.md has all kinds. No network is asked;
 * what the feature store knows of a photo is not decoded again. Open the data with split "none" to
 * look at a folder of one class; the sides of other splits are looked at. Errors: HST_ESTOPPED,
 * HST_EMEM. */
HST_API HST_CHECK hst_inspection *hst_inspect(hst_ctx *ctx, const hst_data *d, hst_err *err);
HST_API void hst_inspection_free(hst_inspection *r);

/* remark: worth to know; warning: worth to look at; error: training will stop, leave something out
 * or be misled. */
enum hst_severity { HST_SEVERITY_REMARK = 0, HST_SEVERITY_WARNING = 1, HST_SEVERITY_ERROR = 2 };

typedef struct hst_inspection_finding {
    size_t size;
    const char *kind; /* "blurred", ... (docs/doctor.md), the same in later versions */
    enum hst_severity severity;
    const char *title;        /* what is so of all findings of the kind: "very dark" */
    const char *what;         /* what is so of this one: "brightness 12 of 255, at most 40" */
    const char *advice;       /* what to do, a sentence or two */
    const char *const *paths; /* [n_paths] the photo, the files, the group of copies, the folders */
    size_t n_paths;
} hst_inspection_finding;
/* The i-th finding, belongs to r; NULL past the last. By severity, then kind, the worst first. */
HST_API const hst_inspection_finding *hst_inspection_at(const hst_inspection *r, size_t i);
HST_API size_t hst_inspection_used(const hst_inspection *r); /* photos that can be used */
/* Of those, how many the feature store knew. */
HST_API size_t hst_inspection_stored(const hst_inspection *r);

/* ---- review [experimental] ---- */

typedef struct hst_review hst_review; /* what looks wrong, odd or hard among labelled photos */

/* Looks over all usable photos of d, both sides, by what backbone b sees: each is asked of
 * classifiers that have not learned from it and of its nearest neighbours (docs/review.md). Copies
 * of a photo do not speak for it. prepare: as in hst_features_compute; folds are drawn from d's
 * seed. The same bits for any number of threads. The review borrows d. Errors: those of
 * hst_features_compute; HST_EARG (photos without labels). */
HST_API HST_CHECK hst_review *hst_review_data(hst_ctx *ctx, const hst_backbone *b,
                                              const hst_data *d, const char *prepare, hst_err *err);
/* The same by what model m's backbones see, in its views; its head, which may have learned wrong
 * labels, is not asked. A backbone that was fine-tuned on the same photos has learned their labels
 * too: then review with the backbone that it was made from. */
HST_API HST_CHECK hst_review *hst_review_with(hst_ctx *ctx, const hst_model *m, const hst_data *d,
                                              hst_err *err);
HST_API void hst_review_free(hst_review *r);

typedef struct hst_review_photo {
    size_t size;
    size_t photo; /* its number in the data */
    const char *path;
    int label, suggested;  /* classes; suggested: the most probable one, which may be the label */
    double score;          /* 0..1, how little speaks for the label: 1 - its probability */
    double suggested_prob; /* of the suggested class */
    double distance;       /* 0..2: 1 - mean cosine to the 5 nearest photos; 2: there is no other */
    int judged;            /* 0: the only photo of its class; score is then 0 */
    int wrong;             /* the label is likely wrong ("confident learning") */
    int outlier;           /* far from all others, compared with how far they are from each other */
    int hard;              /* the label is right, it seems, but it leads by less than 0.25 */
} hst_review_photo;

/* HST_REVIEW_ALL, the photos that may have wrong labels and the hard ones are in order of score,
 * the least credible label first; outliers the farthest first. */
enum hst_review_list {
    HST_REVIEW_ALL = 0,
    HST_REVIEW_WRONG = 1,
    HST_REVIEW_OUTLIERS = 2,
    HST_REVIEW_HARD = 3
};
/* The i-th photo of a list, belongs to r; NULL past its end. */
HST_API const hst_review_photo *hst_review_at(const hst_review *r, enum hst_review_list list,
                                              size_t i);
/* The i-th photo of the g-th group of copies: the same pixels, or the same picture resized, cropped
 * by some per cent, brightened or mirrored; NULL past the end of either. */
HST_API const hst_review_photo *hst_review_copy(const hst_review *r, size_t g, size_t i);
HST_API size_t hst_review_skipped(const hst_review *r); /* photos that could not be used */
HST_API size_t hst_review_stored(const hst_review *r);  /* whose features were stored */
/* Writes into dir, which is made when it is not there: review.html (the photos to look at, in one
 * file without a script), review.csv (all photos with what was found), plan.sh (a shell script that
 * would move the photos with wrong labels to the suggested class; it is for people to read and run,
 * never overwrites a file, and has the current folder in it). Each appears whole or not at all.
 * Errors: HST_EIO, HST_EMEM. */
HST_API HST_CHECK int hst_review_save(const hst_review *r, const char *dir, hst_err *err);

/* ---- export [experimental] ---- */

/* The format numbered i (0, 1, ...): its name, "onnx"; what reads it, and how the name of a file
 * ends, ".onnx", or "-c" of a folder (either may be NULL); NULL past the last. */
HST_API const char *hst_export_format(int i, const char **summary, const char **ending);

typedef struct hst_export_opts {
    size_t size;
    const char *format; /* one of hst_export_format's; there is no default */
    /* What the exported network takes and gives; NULL: what is usual for the format. */
    const char *input;   /* "uint8", "float": pixels 0..255; "int8", less 128; scaled inside */
    const char *layout;  /* "nhwc": [batch][height][width][3], or "nchw" */
    const char *output;  /* "probabilities" or "logits", of a number itself either way */
    int batch;           /* pictures at a time; 0 (default): any, where the format can */
    int check;           /* 1: ask the format's own runtime as well, where it is installed */
    const char *weights; /* "float32" (NULL), "float16" or "int8" */
    /* NULL, or labelled photos that what is written is asked about in the place of made-up
     * pictures. Up to 100 of the training side calibrate int8: tflite's then computes in whole
     * numbers throughout, and biases take back what narrow weights are off by on average. Those of
     * the validation side (up to 500) measure narrow weights. */
    const hst_data *data;
    const char *split; /* split.csv of a run, whose sides they have; NULL: as data is split */
    double max_drop;   /* points of accuracy that narrow weights may cost, else HST_EUNSUP; 1 */
} hst_export_opts;
HST_API void hst_export_opts_init(hst_export_opts *o, size_t size);
static inline hst_export_opts hst_export_opts_default(void)
{
    hst_export_opts o;
    hst_export_opts_init(&o, sizeof o);
    return o;
}
/* What was written, and how far its answers to made-up pictures are from the model's. */
typedef struct hst_exported {
    size_t size;
    uint64_t bytes;
    int pictures;              /* that it was asked about */
    double tolerance;          /* beyond which it would not have been kept */
    char checked[96];          /* how: "read back"; "": it could not be */
    double difference;         /* the largest, of probabilities; NaN where not checked */
    char runtime[96];          /* "onnxruntime 1.20.0"; "": not asked, or not there */
    double runtime_difference; /* NaN as well */
    char loader[2048];         /* lines of Python that load it; "": nothing is needed for that */
    /* Of narrow weights with data, else 0 and NaN: photos of the validation side, the model's
     * accuracy on them, the export's, and the 95 % interval of the difference (Agresti and Min). */
    int photos;
    double accuracy, export_accuracy, change_low, change_high;
} hst_exported;
/* Writes model m to path, a file or a folder, which appears whole or not at all; a folder must not
 * be there, or be empty. The same model gives the same bytes. Errors: HST_EARG (no such format or
 * word; out->size), HST_EUNSUP (the model cannot be exported so), HST_EMODEL (what was written
 * answers otherwise, and is not kept), HST_EIO, HST_EMEM. */
HST_API HST_CHECK int hst_export(hst_ctx *ctx, const hst_model *m, const char *path,
                                 const hst_export_opts *o, hst_exported *out, hst_err *err);

/* ---- pictures [experimental] ---- */

/* A PNG sheet of the evaluated photos with true and predicted label, wrong ones marked; at most
 * max_photos, wrong ones first. Errors: HST_EIO, HST_EMEM. */
HST_API HST_CHECK int hst_contact_sheet(const hst_eval *e, size_t max_photos, const char *path,
                                        hst_err *err);

#ifdef __cplusplus
}
#endif
#endif

#include "commands.h"

const cli_command *const cli_commands[] = {
    &cli_train,     &cli_doctor,   &cli_predict, &cli_eval,  &cli_review,
    &cli_sort,      &cli_features, &cli_merge,   &cli_info,  &cli_export,
    &cli_backbones, &cli_pull,     &cli_store,   &cli_bench, NULL,
};

const char cli_summary[] = "A folder of photos in, a model that names what is on a new photo out";

const char *const cli_examples[] = {
    "headstart train photos/",
    "headstart predict runs/train/model.safetensors daisy.jpg more/",
    "headstart eval runs/train/model.safetensors holdout/",
    NULL,
};

const cli_note cli_environment[] = {
    {"HEADSTART_CACHE",
     "Where backbones, features and data sets are kept [XDG_CACHE_HOME/headstart, else "
     "~/.cache/headstart]."},
    {"HEADSTART_CPU", "Kernels to use (headstart info --devices lists them)."},
    {"HEADSTART_THREADS", "Threads to use, as --threads."},
    {"HEADSTART_NO_STORE", "Set to anything: as --no-store."},
    {"HEADSTART_OFFLINE", "Set to anything: never start a download."},
    {"NO_COLOR", "Set to anything: results are not coloured."},
    {"HEADSTART_HELPER", "Path of headstart-convert, which reads foreign weights."},
    {"HEADSTART_DECODER",
     "Path of headstart-decode, which reads TIFF, HEIC, AVIF, JPEG XL and JPEG 2000."},
    {"HEADSTART_MPI", "Path of headstart-mpi.so, which connects the processes of mpirun."},
    {"HEADSTART_PATIENCE_S",
     "Seconds after which one of several processes that is not heard of ends the job [10]."},
    {"HF_HOME, HF_TOKEN, ...",
     "Caches and tokens of other programs (headstart backbones --help lists them)."},
    {0},
};

const cli_note cli_statuses[] = {
    {"0", "Done."},
    {"1", "Failed: valid but not supported here, a helper program failed, an accuracy is below "
          "--min-accuracy, or doctor --strict found something."},
    {"2", "Wrong use: unknown command or option, bad value."},
    {"3", "Photos cannot be used: no folder, too few, or bad ones among those to predict."},
    {"4", "The model or weight file cannot be used."},
    {"5", "A download failed, or did not match its checksum."},
    {"6", "Reading or writing failed, or no space is left."},
    {"7", "Out of memory."},
    {"129, 130, 143", "Interrupted (terminal closed, Ctrl-C, SIGTERM), after cleaning up."},
    {"141", "Nobody read the output to its end."},
    {0},
};

/* model.h - the words that name a model and photos for it; what was typed in the wrong place is
 * recognised and said. */
#ifndef HST_CLI_MODEL_H
#define HST_CLI_MODEL_H
#include "job.h"

/* The model that words[i] names, a file or a run's folder; NULL with job->err. */
hst_model *cli_model_load(cli_job *job, int i);
/* The labelled photos in the folder words[i], all on one side; NULL with job->err. */
hst_data *cli_model_photos(cli_job *job, int i);
#endif

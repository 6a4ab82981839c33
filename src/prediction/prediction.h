/* prediction.h - what evaluation needs of prediction beyond headstart.h. */
#ifndef HST_PREDICTION_PREDICTION_H
#define HST_PREDICTION_PREDICTION_H
#include "features/lookup.h"
#include "model/model.h"

/* hst_predict_stream with the name of the phase and the number of photos (0: unknown) for the
 * progress reports; what NULL: none. */
typedef struct hst_stream {
    hst_next_fn *next;
    hst_deliver_fn *deliver;
    void *arg;
    const char *what;
    uint64_t total;
} hst_stream;
HST_CHECK int hst_stream_run(hst_ctx *ctx, const hst_model *m, const hst_stream *s, hst_err *err);

/* hst_predict_file whose messages do not name the file. */
HST_CHECK int hst_session_predict(hst_session *s, const char *path, float *prob, hst_err *err);
/* Files that it predicts are looked up first, by l of the model's extractor, borrowed, which
 * sessions of several threads may share. Errors: HST_EMEM. */
HST_CHECK int hst_session_look_up(hst_session *s, const hst_lookup *l, hst_err *err);
/* 1: the features of the last photo came from the store. */
int hst_session_stored(const hst_session *s);
#endif

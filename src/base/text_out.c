#include "base/text_out.h"

enum { AT_ONCE = 1 << 16 };

int hst_text_open(hst_text_out *t, const char *path, hst_err *err)
{
    *t = (hst_text_out){.b = HST_BUF(SIZE_MAX / 2)};
    return hst_out_open(&t->out, path, err);
}

static int let_go(hst_text_out *t, hst_err *err)
{
    int rc = hst_buf_check(&t->b, err);
    if (rc == 0 && t->b.n)
        rc = hst_out_write(t->out, t->b.p, t->b.n, err);
    t->b.n = 0;
    return rc;
}

int hst_text_line(hst_text_out *t, hst_err *err)
{
    return t->b.n < AT_ONCE && !t->b.failed ? 0 : let_go(t, err);
}

int hst_text_commit(hst_text_out *t, hst_err *err)
{
    int rc = let_go(t, err);
    return rc ? rc : hst_out_commit(t->out, err);
}

void hst_text_close(hst_text_out *t)
{
    hst_out_close(t->out);
    hst_buf_free(&t->b);
}

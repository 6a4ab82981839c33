/* Where a picture goes: resized to dw x dh, of which the part from (x, y) on, w x h pixels, comes
 * to (left, top) of what the network sees. */
struct place {
    int dw, dh, x, y, w, h, left, top;
};

/* In proportion until it just fits in, on the middle of a plain ground. */
static int place_of(int w, int h, struct place *p)
{
    const int wide = (double)w / h > (double)WIDTH / HEIGHT;
    const double dw = nearbyint((double)w / h * HEIGHT), dh = nearbyint((double)h / w * WIDTH);
    p->dw = p->w = wide ? WIDTH : dw < 1.0 ? 1 : (int)dw;
    p->dh = p->h = !wide ? HEIGHT : dh < 1.0 ? 1 : (int)dh;
    p->x = p->y = 0;
    p->left = (int)nearbyint((WIDTH - p->dw) * 0.5);
    p->top = (int)nearbyint((HEIGHT - p->dh) * 0.5);
    return 0;
}

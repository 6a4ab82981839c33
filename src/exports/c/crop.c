/* Where a picture goes: resized to dw x dh, of which the part from (x, y) on, w x h pixels, comes
 * to (left, top) of what the network sees. */
struct place {
    int dw, dh, x, y, w, h, left, top;
};

/* Where the middle n of all begin; of torchvision's crop rounded half to even. */
static int middle(int all, int n)
{
    const int rest = all - n, half = rest / 2;
    return CROP_TO_EVEN && rest % 2 ? half + half % 2 : half;
}

/* In proportion until it covers what is asked for, then the middle. */
static int place_of(int w, int h, struct place *p)
{
    const double across = (double)w / RESIZE_WIDTH, down = (double)h / RESIZE_HEIGHT;
    const double ratio = across < down ? across : down;
    double dw = nearbyint(w / ratio), dh = nearbyint(h / ratio);
    if (RESIZE_WIDTH == RESIZE_HEIGHT) { /* the shorter edge exactly, the longer one rounded down */
        dw = w < h ? RESIZE_WIDTH : floor((double)RESIZE_WIDTH * w / h);
        dh = w < h ? floor((double)RESIZE_WIDTH * h / w) : RESIZE_WIDTH;
    }
    if (dw * dh > 1e9)
        return -1;
    p->dw = (int)dw;
    p->dh = (int)dh;
    p->x = middle(p->dw, WIDTH);
    p->y = middle(p->dh, HEIGHT);
    p->w = WIDTH;
    p->h = HEIGHT;
    p->left = p->top = 0;
    return 0;
}

/* Where a picture goes: resized to dw x dh, of which the part from (x, y) on, w x h pixels, comes
 * to (left, top) of what the network sees. */
struct place {
    int dw, dh, x, y, w, h, left, top;
};

/* To the network's size, whatever its shape. */
static int place_of(int w, int h, struct place *p)
{
    const struct place all = {WIDTH, HEIGHT, 0, 0, WIDTH, HEIGHT, 0, 0};
    (void)w;
    (void)h;
    *p = all;
    return 0;
}

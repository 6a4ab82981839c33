/* A window that moves over x[h][w][c] and makes y[oh][ow][n]; outside of x there are zeros. */
struct window {
    int h, w, c, oh, ow, n;
    int kh, kw, sh, sw, top, left;
    int groups;
    enum act act;
};

/* Taps first .. end-1 of k lie inside a length, where the window begins at `at`. */
static void inside(int at, int k, int length, int *first, int *end)
{
    *first = at < 0 ? -at : 0;
    *end = at + k > length ? length - at : k;
}

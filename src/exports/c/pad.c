/* Zeros around a picture. */
static void pad(const float *x, float *y, const struct window *k)
{
    memset(y, 0, (size_t)(k->oh * k->ow * k->c) * sizeof *y);
    for (int row = 0; row < k->h; row++)
        memcpy(y + ((k->top + row) * k->ow + k->left) * k->c, x + row * k->w * k->c,
               (size_t)(k->w * k->c) * sizeof *y);
}

int model_predict_pixels(const uint8_t *rgb, float *prob)
{
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
        arena.f[INPUT + i] = rgb[i];
    network(prob);
    return 0;
}

int model_predict(const uint8_t *rgb, int w, int h, float *prob)
{
    static const float ground[3] = GROUND;
    struct place p;
    if (!rgb || !prob || w < 1 || h < 1 || w > 65536 || h > 65536 || place_of(w, h, &p))
        return -1;
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
        arena.f[INPUT + i] = ground[i % 3];
    if (resize(rgb, w, h, &p, arena.f + INPUT, arena.i + ROOM, ARENA_FLOATS - ROOM))
        return -1;
    network(prob);
    return 0;
}

/* scene_sensor.c - the parts of a frame that touch every pixel: the shaken background, then light and noise.
 *
 * Inner loops run over blocks of a constant number of bytes, so that the compiler turns them into vectors at -O2. */
#include "media/scene_parts.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

enum { BLOCK = 32, LIGHT_ROWS = 4 };

static void blend_block(const uint8_t *restrict a, const uint8_t *restrict b, const uint16_t w[4], uint8_t *restrict out) {
    for (int i = 0; i < BLOCK; i++)
        out[i] = (uint8_t)((a[i] * w[0] + a[i + 3] * w[1] + b[i] * w[2] + b[i + 3] * w[3] + 128) >> 8);
}

/* Bytes may be read up to BLOCK + 3 behind a row's last: the next row's, or the tail of the last. */
static void blend_row(const uint8_t *a, const uint8_t *b, const uint16_t w[4], uint8_t *out, int bytes) {
    uint8_t last[BLOCK];
    int i = 0;
    for (; i + BLOCK <= bytes; i += BLOCK) blend_block(a + i, b + i, w, out + i);
    if (i == bytes) return;
    blend_block(a + i, b + i, w, last);
    memcpy(out + i, last, (size_t)(bytes - i));
}

void leat__scene_draw_background(const leat__scene *scene, uint8_t *pixels, int64_t stride) {
    int64_t pitch = (scene->spec.width + 2 * (int64_t)scene->margin) * 3;
    float x = (float)scene->margin - scene->moment.shake_x, y = (float)scene->margin - scene->moment.shake_y, x0 = floorf(x),
          y0 = floorf(y);
    uint16_t u = (uint16_t)((x - x0) * 16), v = (uint16_t)((y - y0) * 16);
    uint16_t w[4] = {(uint16_t)((16 - u) * (16 - v)), (uint16_t)(u * (16 - v)), (uint16_t)((16 - u) * v), (uint16_t)(u * v)};
    for (int row = 0; row < scene->spec.height; row++) {
        const uint8_t *a = scene->background + (row + (int64_t)y0) * pitch + 3 * (int64_t)x0;
        blend_row(a, a + pitch, w, pixels + row * stride, scene->spec.width * 3);
    }
}

/* Gains of a row as 8.8 fixed point, for each byte. */
static void light_row(const leat__scene *scene, int y) {
    const scene_light *l = &scene->moment.light;
    float dy = (float)y - 0.5f * (float)scene->spec.height, row = 1 + l->slope_y * dy;
    uint16_t *out = scene->gains;
    for (int x = 0; x < scene->spec.width; x++, out += 3) {
        float dx = (float)x - 0.5f * (float)scene->spec.width, gain = row + l->slope_x * dx;
        if (l->band_depth > 0) {
            float off = fabsf(dx * l->band_x + dy * l->band_y - l->band_at);
            gain *= 1 - l->band_depth * scene_step(l->band_soft, l->band_soft * 0.5f, off);
        }
        gain = scene_clamp(gain * 256, 0, 300);
        for (int c = 0; c < 3; c++) out[c] = (uint16_t)(gain * l->gain[c]);
    }
}

/* out = lit + noise * (floor + slope * lit), lit = pixel * gain; noise has sd 32.  Sixteen bits all along: a product's high half
 * is one instruction. */
static void expose_block(uint8_t *restrict pixel, const uint16_t *restrict gain, const int8_t *restrict noise, uint16_t floor16,
                         uint16_t slope16) {
    for (int i = 0; i < BLOCK; i++) {
        uint16_t raised = (uint16_t)(pixel[i] << 8), lit = (uint16_t)((uint32_t)raised * gain[i] >> 16);
        lit = lit > 255 ? 255 : lit;
        int16_t amplitude = (int16_t)(floor16 + ((uint16_t)(lit * slope16) >> 8)), fine = (int16_t)(noise[i] * 128);
        int16_t value = (int16_t)(lit + (int16_t)((int32_t)fine * amplitude >> 16));
        value = value < 0 ? 0 : value;
        pixel[i] = (uint8_t)(value > 255 ? 255 : value);
    }
}

static void expose_run(const leat__scene *scene, uint8_t *pixels, const uint16_t *gains, const int8_t *noise, int bytes) {
    uint16_t floor16 = (uint16_t)(scene->look.noise_floor * 16), slope16 = (uint16_t)(scene->look.noise_gain * 16);
    int i = 0;
    uint8_t last[BLOCK];
    for (; i + BLOCK <= bytes; i += BLOCK) expose_block(pixels + i, gains + i, noise + i, floor16, slope16);
    if (i == bytes) return;
    memcpy(last, pixels + i, (size_t)(bytes - i));
    memset(last + (bytes - i), 0, (size_t)(BLOCK - (bytes - i)));
    expose_block(last, gains + i, noise + i, floor16, slope16);
    memcpy(pixels + i, last, (size_t)(bytes - i));
}

void leat__scene_expose(leat__scene *scene, int64_t index, uint8_t *pixels, int64_t stride) {
    int bytes = scene->spec.width * 3;
    uint64_t draws = 0, row_draws = (uint64_t)(bytes + SCENE_NOISE_RUN - 1) / SCENE_NOISE_RUN;
    for (int y = 0; y < scene->spec.height; y++) {
        if (y % LIGHT_ROWS == 0) light_row(scene, y);
        for (int at = 0; at < bytes; at += SCENE_NOISE_RUN, draws++) {
            uint32_t word[4];
            uint64_t block = (uint64_t)index * ((row_draws * (uint64_t)scene->spec.height + 3) / 4) + draws / 4;
            leat__rng_block(scene->spec.seed, SCENE_RNG_NOISE, block, word);
            const int8_t *noise = scene->grain + word[draws & 3] % SCENE_NOISE;
            int run = bytes - at < SCENE_NOISE_RUN ? bytes - at : SCENE_NOISE_RUN;
            expose_run(scene, pixels + y * stride + at, scene->gains + at, noise, run);
        }
    }
}

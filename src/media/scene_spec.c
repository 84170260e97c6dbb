/* scene_spec.c - the scene's KEY=VALUE list: one table of keys, ranges in the message when a value is out of them. */
#include "media/scene_parts.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static const char *const backgrounds[SCENE_BG_COUNT] = {"wood", "cloth", "gradient", "paper", "stone", "tiles"};

static const struct {
    const char *key;
    size_t offset;
    double low, high;
    enum { KEY_FLOAT, KEY_DOUBLE, KEY_INT32, KEY_INT64, KEY_UINT64 } type;
} numbers[] = {
    {"seed", offsetof(scene_spec, seed), 0, 9007199254740992.0, KEY_UINT64},
    {"frames", offsetof(scene_spec, frames), 0, 1e12, KEY_INT64},
    {"fps", offsetof(scene_spec, fps), 0.1, 1000, KEY_DOUBLE},
    {"objects", offsetof(scene_spec, objects), 0, SCENE_MAX_OBJECTS, KEY_INT32},
    {"coins", offsetof(scene_spec, coins), 0, 1, KEY_FLOAT},
    {"scale", offsetof(scene_spec, scale), 0.1, 4, KEY_FLOAT},
    {"blur", offsetof(scene_spec, blur), 0, 4, KEY_FLOAT},
    {"noise", offsetof(scene_spec, noise), 0, 4, KEY_FLOAT},
    {"shake", offsetof(scene_spec, shake), 0, 4, KEY_FLOAT},
    {"shadow", offsetof(scene_spec, shadow), 0, 4, KEY_FLOAT},
    {"light", offsetof(scene_spec, light), 0, 4, KEY_FLOAT},
    {"clutter", offsetof(scene_spec, clutter), 0, 4, KEY_FLOAT},
};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static void store(scene_spec *spec, int i, double value) {
    char *at = (char *)spec + numbers[i].offset;
    switch (numbers[i].type) {
    case KEY_FLOAT: *(float *)(void *)at = (float)value; break;
    case KEY_DOUBLE: *(double *)(void *)at = value; break;
    case KEY_INT32: *(int32_t *)(void *)at = (int32_t)value; break;
    case KEY_INT64: *(int64_t *)(void *)at = (int64_t)value; break;
    case KEY_UINT64: *(uint64_t *)(void *)at = (uint64_t)value; break;
    }
}

static int parse_size(const char *value, scene_spec *spec, leat_error *error) {
    char *end;
    long w = strtol(value, &end, 10), h = *end == 'x' ? strtol(end + 1, &end, 10) : 0;
    if (*end || w < 1 || h < 1 || w > 16384 || h > 16384)
        return leat__fail(error, LEAT_EINVAL, "scene: size=%s must be WIDTHxHEIGHT, 1 to 16384 each", value);
    spec->width = (int32_t)w;
    spec->height = (int32_t)h;
    return LEAT_OK;
}

static int parse_word(const char *key, const char *value, scene_spec *spec, leat_error *error) {
    if (strcmp(key, "format") == 0)
        return leat_pixel_format_parse(value, &spec->format) == LEAT_OK
                   ? LEAT_OK
                   : leat__fail(error, LEAT_EINVAL, "scene: format=%s is no pixel format (rgb24, uyvy, nv12, ...)", value);
    if (strcmp(key, "matrix") == 0) {
        if (strcmp(value, "709") != 0 && strcmp(value, "601") != 0)
            return leat__fail(error, LEAT_EINVAL, "scene: matrix=%s must be 709 or 601", value);
        spec->matrix = value[0] == '7' ? LEAT_MATRIX_BT709 : LEAT_MATRIX_BT601;
        return LEAT_OK;
    }
    spec->background = -1;
    if (strcmp(value, "any") == 0) return LEAT_OK;
    for (int i = 0; i < SCENE_BG_COUNT; i++)
        if (strcmp(value, backgrounds[i]) == 0) {
            spec->background = i;
            return LEAT_OK;
        }
    return leat__fail(error, LEAT_EINVAL, "scene: background=%s must be any, wood, cloth, gradient, paper, stone or tiles",
                      value);
}

static int parse_pair(char *key, scene_spec *spec, leat_error *error) {
    char *value = strchr(key, '='), *end;
    if (!value || !value[1]) return leat__fail(error, LEAT_EINVAL, "scene: '%s' must be KEY=VALUE", key);
    *value++ = 0;
    if (strcmp(key, "size") == 0) return parse_size(value, spec, error);
    if (strcmp(key, "format") == 0 || strcmp(key, "matrix") == 0 || strcmp(key, "background") == 0)
        return parse_word(key, value, spec, error);
    for (int i = 0; i < NUMBERS; i++) {
        if (strcmp(key, numbers[i].key) != 0) continue;
        double number = strtod(value, &end);
        if (*end || !(number >= numbers[i].low && number <= numbers[i].high))
            return leat__fail(error, LEAT_EINVAL, "scene: %s=%s must be a number from %g to %g", key, value, numbers[i].low,
                              numbers[i].high);
        store(spec, i, number);
        return LEAT_OK;
    }
    return leat__fail(error, LEAT_EINVAL,
                      "scene: unknown key '%s' (seed, size, fps, frames, objects, format, matrix, background, coins, scale, "
                      "blur, noise, shake, "
                      "shadow, light, clutter)",
                      key);
}

int leat__scene_parse(const char *text, scene_spec *spec, leat_error *error) {
    char copy[1024];
    *spec = (scene_spec){.seed = 1,
                         .frames = 300,
                         .fps = 30,
                         .width = 1280,
                         .height = 720,
                         .objects = 12,
                         .background = -1,
                         .format = LEAT_PIXEL_RGB24,
                         .matrix = LEAT_MATRIX_BT709,
                         .coins = 0.5f,
                         .scale = 1,
                         .blur = 1,
                         .noise = 1,
                         .shake = 1,
                         .shadow = 1,
                         .light = 1,
                         .clutter = 1};
    if (strncmp(text, "scene:", 6) == 0) text += 6;
    size_t length = strlen(text);
    if (length >= sizeof copy)
        return leat__fail(error, LEAT_EINVAL, "scene: the description is longer than %d characters", (int)sizeof copy - 1);
    memcpy(copy, text, length + 1);
    for (char *pair = copy, *next; *pair; pair = next) {
        char *comma = strchr(pair, ',');
        next = comma ? comma + 1 : pair + strlen(pair);
        if (comma) *comma = 0;
        int status = parse_pair(pair, spec, error);
        if (status != LEAT_OK) return status;
    }
    return LEAT_OK;
}

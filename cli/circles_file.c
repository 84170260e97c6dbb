/* circles_file.c - circles from JSON; see circles_file.h. */
#include "circles_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "term.h"

static int read_number(const json_t *item, const char *key, double *out) {
    const json_t *value = json_object_get(item, key);
    if (!json_is_number(value)) return 0;
    *out = json_number_value(value);
    return 1;
}

/* "#rrggbb" into three numbers 0..1. */
static int read_hex(const json_t *item, leat_circle *circle) {
    const char *text = json_string_value(json_object_get(item, "color"));
    unsigned r, g, b;
    char end;
    if (!text || strlen(text) != 7 || sscanf(text, "#%2x%2x%2x%c", &r, &g, &b, &end) != 3) return 0;
    circle->red = r / 255.0;
    circle->green = g / 255.0;
    circle->blue = b / 255.0;
    return 1;
}

static const char *read_circle(const json_t *item, leat_circle *circle) {
    circle->opacity = 1;
    if (!json_is_object(item)) return "an object";
    if (!read_number(item, "x", &circle->x)) return "a number \"x\"";
    if (!read_number(item, "y", &circle->y)) return "a number \"y\"";
    if (!read_number(item, "r", &circle->r)) return "a number \"r\"";
    if (json_object_get(item, "opacity") && !read_number(item, "opacity", &circle->opacity)) return "a number \"opacity\"";
    if (read_number(item, "red", &circle->red) && read_number(item, "green", &circle->green) && read_number(item, "blue", &circle->blue)) return NULL;
    return read_hex(item, circle) ? NULL : "\"red\", \"green\" and \"blue\" or \"color\": \"#rrggbb\"";
}

static int read_all(const char *path, const json_t *root, leat_circle **circles, int64_t *count) {
    const json_t *list = json_is_array(root) ? root : json_object_get(root, "circles");
    leat_error error = {0};
    if (!json_is_array(list)) return cli_fail("%s: neither an array of circles nor an object with \"circles\"", path);
    size_t n = json_array_size(list);
    if (n > LEAT_CIRCLES_MAX) return cli_fail("%s: %zu circles are more than %d", path, n, LEAT_CIRCLES_MAX);
    *circles = calloc(n + 1, sizeof **circles);
    if (!*circles) return cli_fail("out of memory");
    for (size_t i = 0; i < n; i++) {
        const char *missing = read_circle(json_array_get(list, i), &(*circles)[i]);
        if (missing) return cli_fail("%s: circle %zu needs %s", path, i, missing);
    }
    *count = (int64_t)n;
    if (leat_circles_check(*circles, *count, &error) != LEAT_OK) return cli_fail("%s: %s", path, error.message);
    return CLI_DONE;
}

int cli_circles_read(const char *path, leat_circle **circles, int64_t *count) {
    json_error_t where;
    *circles = NULL;
    *count = 0;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!root) return cli_fail("%s: line %d: %s", path, where.line, where.text);
    int status = read_all(path, root, circles, count);
    json_decref(root);
    if (status != CLI_DONE) {
        free(*circles);
        *circles = NULL;
    }
    return status;
}

/* circlefit_files.c - circles as SVG, as JSON, and as JSON in the form of geometrize. */
#include <math.h>

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "leat/circlefitter.h"

static int byte_of(double v) { return (int)lround(v * 255); }

/* Writes the text to path and frees it. */
static int save(const char *path, leat_strbuf *text, leat_error *error) {
    int status = text->failed || !text->text ? leat__fail(error, LEAT_ENOMEM, "%s: no memory for the text", path)
                                             : leat__write_file(path, text->text, text->length, error);
    leat__strbuf_fini(text);
    return status;
}

/* name="value", or "name": value. */
static void add_number(leat_strbuf *to, const char *before, double value, const char *after) {
    leat__strbuf_add(to, before);
    leat__strbuf_add_number(to, value);
    leat__strbuf_add(to, after);
}

static void add_color(leat_strbuf *to, const leat_circle *c) {
    leat__strbuf_addf(to, "\"#%02x%02x%02x\"", byte_of(c->red), byte_of(c->green), byte_of(c->blue));
}

int leat_circles_save_svg(const char *path, const leat_circle *circles, int64_t count, int width, int height, const uint8_t background[3], leat_error *error) {
    leat_strbuf text = {0};
    /* pixel centres are the integers here and the halves in SVG */
    leat__strbuf_addf(&text, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"-0.5 -0.5 %d %d\">\n", width, height, width, height);
    leat__strbuf_addf(&text, "<rect x=\"-0.5\" y=\"-0.5\" width=\"%d\" height=\"%d\" fill=\"#%02x%02x%02x\"/>\n", width, height, background[0], background[1], background[2]);
    for (int64_t i = 0; i < count; i++) {
        add_number(&text, "<circle cx=\"", circles[i].x, "\" cy=\"");
        add_number(&text, "", circles[i].y, "\" r=\"");
        add_number(&text, "", circles[i].r, "\" fill=");
        add_color(&text, &circles[i]);
        add_number(&text, " fill-opacity=\"", circles[i].opacity, "\"/>\n");
    }
    leat__strbuf_add(&text, "</svg>\n");
    return save(path, &text, error);
}

int leat_circles_save_json(const char *path, const leat_circle *circles, int64_t count, int width, int height, const uint8_t background[3], leat_error *error) {
    leat_strbuf text = {0};
    leat__strbuf_addf(&text, "{\"width\": %d, \"height\": %d, \"background\": \"#%02x%02x%02x\", \"circles\": [", width, height, background[0], background[1], background[2]);
    for (int64_t i = 0; i < count; i++) {
        const leat_circle *c = &circles[i];
        add_number(&text, i ? ",\n  {\"x\": " : "\n  {\"x\": ", c->x, ", \"y\": ");
        add_number(&text, "", c->y, ", \"r\": ");
        add_number(&text, "", c->r, ", \"red\": ");
        add_number(&text, "", c->red, ", \"green\": ");
        add_number(&text, "", c->green, ", \"blue\": ");
        add_number(&text, "", c->blue, ", \"opacity\": ");
        add_number(&text, "", c->opacity, ", \"color\": ");
        add_color(&text, c);
        leat__strbuf_add(&text, "}");
    }
    leat__strbuf_add(&text, "\n]}\n");
    return save(path, &text, error);
}

int leat_circles_save_geometrize(const char *path, const leat_circle *circles, int64_t count, int width, int height, const uint8_t background[3], leat_error *error) {
    leat_strbuf text = {0};
    leat__strbuf_addf(&text, "[\n  {\"type\": 0, \"data\": [0, 0, %d, %d], \"color\": [%d, %d, %d, 255], \"score\": 0}", width, height, background[0], background[1], background[2]);
    for (int64_t i = 0; i < count; i++) {
        const leat_circle *c = &circles[i];
        leat__strbuf_addf(&text, ",\n  {\"type\": 32, \"data\": [%ld, %ld, %ld], \"color\": [%d, %d, %d, %d], \"score\": 0}", lround(c->x), lround(c->y), lround(c->r),
                          byte_of(c->red), byte_of(c->green), byte_of(c->blue), byte_of(c->opacity));
    }
    leat__strbuf_add(&text, "\n]\n");
    return save(path, &text, error);
}

/* draw_text.c - text, labels and panels: glyphs of an open font as shapes for the raster. */
#include "media/draw_raster.h"
#include "media/font.h"

#include <string.h>

/* Bytes that must follow a first byte, or -1; its bits that count; the least code that may be written so. */
static int follow(unsigned char byte, uint32_t *code, uint32_t *least) {
    if (byte < 0x80) { *code = byte, *least = 0; return 0; }
    if ((byte & 0xe0) == 0xc0) { *code = byte & 0x1f, *least = 0x80; return 1; }
    if ((byte & 0xf0) == 0xe0) { *code = byte & 0x0f, *least = 0x800; return 2; }
    if ((byte & 0xf8) == 0xf0) { *code = byte & 0x07, *least = 0x10000; return 3; }
    return -1;
}

uint32_t leat__utf8_next(const char **text) {
    const unsigned char *at = (const unsigned char *)*text;
    uint32_t code = 0, least = 0;
    if (*at == 0) return 0;
    int more = follow(*at++, &code, &least), broken = more < 0;
    for (int i = 0; i < more && !broken; i++) {
        if ((*at & 0xc0) != 0x80) broken = 1; /* also the end; that byte begins the next character */
        else code = code << 6 | (*at++ & 0x3f);
    }
    *text = (const char *)at;
    if (broken || code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || code == 0) return LEAT_FONT_REPLACEMENT;
    return code;
}

int leat_font_width(const leat_font *font, const char *text) {
    int64_t widest = 0, pen = 0;
    if (!font || !text) return 0;
    for (uint32_t code; (code = leat__utf8_next(&text)) != 0;) {
        pen = code == '\n' ? 0 : pen + leat__font_glyph(font, code)->advance;
        if (pen > widest) widest = pen;
    }
    return widest < (int64_t)INT32_MAX ? (int)((widest + 63) >> 6) : INT32_MAX >> 6;
}

typedef struct glyph_shape {
    const uint8_t *pixels;
    int64_t        x, y;
    int            width;
} glyph_shape;

static void cover_glyph(const void *shape, int x, int y, int n, uint8_t *mask) {
    const glyph_shape *g = shape;
    memcpy(mask, g->pixels + (y - g->y) * g->width + (x - g->x), (size_t)n);
}

static void draw_glyph(leat_frame *frame, const leat_font *font, const leat_glyph *glyph, int64_t x, int64_t base, leat_rgba color) {
    glyph_shape g = {font->pixels + glyph->pixels, x + glyph->left, base - glyph->top, glyph->width};
    if (glyph->width && glyph->height) leat__raster(frame, color, g.x, g.y, g.x + glyph->width, g.y + glyph->height, cover_glyph, &g);
}

void leat_draw_text(leat_frame *frame, const leat_font *font, int x, int y, const char *text, leat_rgba color) {
    if (!font || !text || !leat_frame_is_valid(frame)) return;
    int64_t pen = (int64_t)x * 64, base = (int64_t)y + font->ascent;
    for (uint32_t code; (code = leat__utf8_next(&text)) != 0;) {
        if (code == '\n') {
            pen = (int64_t)x * 64, base += font->line;
            continue;
        }
        const leat_glyph *glyph = leat__font_glyph(font, code);
        if (base - font->line < frame->height && pen >> 6 < frame->width) draw_glyph(frame, font, glyph, (pen + 32) >> 6, base, color);
        pen += glyph->advance;
    }
}

static int padding_of(const leat_font *font) { return font->line / 6 + 1; }

static int moved_inside(int64_t at, int64_t length, int64_t most) {
    if (at + length > most) at = most - length;
    return (int)(at < 0 ? 0 : at);
}

void leat_draw_label(leat_frame *frame, const leat_font *font, int x, int y, const char *text, leat_rgba ground) {
    if (!font || !text || !leat_frame_is_valid(frame)) return;
    int     pad = padding_of(font);
    int64_t width = (int64_t)leat_font_width(font, text) + 2 * pad, height = font->line;
    int     left = moved_inside(x, width, frame->width), top = moved_inside(y >= height ? (int64_t)y - height : y, height, frame->height);
    leat__raster_fill(frame, ground, left, top, left + width, top + height);
    leat_draw_text(frame, font, left + pad, top, text, leat_draw_contrast(ground));
}

void leat_draw_panel(leat_frame *frame, const leat_font *font, int corner, const char *text) {
    if (!font || !text || !leat_frame_is_valid(frame)) return;
    int64_t lines = 1, pad = 2 * padding_of(font), margin = pad;
    for (const char *c = text; *c; c++) lines += *c == '\n' && c[1];
    int64_t width = leat_font_width(font, text) + 2 * pad, height = lines * font->line + 2 * pad;
    int     left = moved_inside(corner & 1 ? frame->width - width - margin : margin, width, frame->width);
    int     top = moved_inside(corner & 2 ? frame->height - height - margin : margin, height, frame->height);
    leat__raster_fill(frame, LEAT_RGBA(0, 0, 0, 150), left, top, left + width, top + height);
    leat_draw_text(frame, font, (int)(left + pad), (int)(top + pad), text, LEAT_RGBA(255, 255, 255, 255));
}

/* font.h - the glyphs of an open font, as the text drawing sees them. */
#ifndef LEAT_MEDIA_FONT_H
#define LEAT_MEDIA_FONT_H

#include "leat/draw.h"

#define LEAT_FONT_REPLACEMENT 0xfffd

typedef struct leat_glyph {
    uint32_t code;          /* Unicode */
    int32_t  left, top;     /* of the bitmap: to the right of the pen, above the base line, pixels */
    int32_t  width, height; /* pixels */
    int32_t  advance;       /* 1/64 pixels */
    size_t   pixels;        /* where its coverage [height][width] begins in leat_font.pixels */
} leat_glyph;

struct leat_font {
    int32_t     ascent, descent, line; /* pixels: base line to top and to bottom of a line; from line to line */
    int         n_glyphs;
    leat_glyph *glyphs;  /* ascending codes */
    uint8_t    *pixels;
    size_t      n_pixels, capacity;
    int16_t     ascii[128];  /* index of those codes, -1 = none */
    int         replacement; /* index */
};

/* The glyph of `code`, or the replacement's. */
const leat_glyph *leat__font_glyph(const leat_font *font, uint32_t code);
/* Decodes one character of UTF-8 and moves *text past it; broken bytes give the replacement character, the end 0. */
uint32_t leat__utf8_next(const char **text);

#endif

/* font.c - rasterises the glyphs of a font file once, with FreeType, and forgets the file.
 *
 * An open font is immutable: a sorted table of glyphs and their coverage bytes one after the other; drawing only reads it.  A font
 * without one of the characters below simply has no row for it; text shows the replacement character (or a question mark) instead.
 */
#include "media/font.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

#define MOST_SIDE 2048 /* of one glyph's bitmap */

/* ASCII, Latin-1 and Latin Extended-A, Greek, Cyrillic, dashes to ellipsis, euro, arrows, square root to approximately, replacement. */
static const uint32_t ranges[][2] = {{0x20, 0x7e}, {0xa0, 0x17f}, {0x386, 0x3ce}, {0x401, 0x45f}, {0x2010, 0x2026}, {0x20ac, 0x20ac},
                                     {0x2190, 0x2193}, {0x2248, 0x2248}, {0x2264, 0x2265}, {LEAT_FONT_REPLACEMENT, LEAT_FONT_REPLACEMENT}};

static const char *const folders[] = {"/usr/share/fonts/truetype/dejavu/", "/usr/share/fonts/dejavu/", "/usr/share/fonts/TTF/",
                                      "/usr/share/fonts/dejavu-sans-fonts/", "/usr/local/share/fonts/"};
static const char default_name[] = "DejaVuSans.ttf";

static int find_default(char *path, size_t bytes) {
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (strlen(folders[i]) + sizeof default_name > bytes) continue;
        strcpy(path, folders[i]);
        strcat(path, default_name);
        if (access(path, R_OK) == 0) return 1;
    }
    return 0;
}

/* ---- glyphs --------------------------------------------------------------------------------------------------------------- */

static int reserve(leat_font *font, size_t bytes) {
    if (bytes <= font->capacity - font->n_pixels) return 1;
    size_t   capacity = font->capacity * 2 + bytes + 16384;
    uint8_t *grown = leat__realloc(font->pixels, capacity, LEAT_MEMORY_IO);
    if (!grown) return 0;
    font->pixels = grown;
    font->capacity = capacity;
    return 1;
}

static int add_glyph(leat_font *font, FT_Face face, uint32_t code, leat_error *error) {
    if (FT_Get_Char_Index(face, code) == 0 || FT_Load_Char(face, code, FT_LOAD_RENDER | FT_LOAD_NO_BITMAP | FT_LOAD_TARGET_LIGHT)) return LEAT_OK;
    const FT_GlyphSlot slot = face->glyph;
    const FT_Bitmap   *bitmap = &slot->bitmap;
    if (bitmap->width > MOST_SIDE || bitmap->rows > MOST_SIDE || (bitmap->width && bitmap->pixel_mode != FT_PIXEL_MODE_GRAY)) return LEAT_OK;
    int width = (int)bitmap->width, height = (int)bitmap->rows;
    if (!reserve(font, (size_t)width * (size_t)height)) return leat__fail(error, LEAT_ENOMEM, "out of memory for the glyphs of a font");
    font->glyphs[font->n_glyphs++] = (leat_glyph){code, slot->bitmap_left, slot->bitmap_top, width, height, (int32_t)slot->advance.x, font->n_pixels};
    for (int y = 0; y < height; y++, font->n_pixels += (size_t)width) /* a negative pitch counts from the bottom up */
        memcpy(font->pixels + font->n_pixels, bitmap->buffer + (int64_t)y * bitmap->pitch - (bitmap->pitch < 0 ? (int64_t)(height - 1) * bitmap->pitch : 0),
               (size_t)width);
    return LEAT_OK;
}

static int index_of(const leat_font *font, uint32_t code) {
    int low = 0, high = font->n_glyphs - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (font->glyphs[middle].code < code) low = middle + 1;
        else high = middle;
    }
    return low <= high && font->glyphs[low].code == code ? low : -1;
}

static int add_glyphs(leat_font *font, FT_Face face, leat_error *error) {
    size_t n = 0;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) n += ranges[i][1] - ranges[i][0] + 1;
    font->glyphs = leat__calloc(n, sizeof *font->glyphs, LEAT_MEMORY_IO);
    if (!font->glyphs) return leat__fail(error, LEAT_ENOMEM, "out of memory for the glyphs of a font");
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        for (uint32_t code = ranges[i][0]; code <= ranges[i][1]; code++) {
            int status = add_glyph(font, face, code, error);
            if (status != LEAT_OK) return status;
        }
    for (int c = 0; c < 128; c++) font->ascii[c] = (int16_t)index_of(font, (uint32_t)c);
    font->replacement = index_of(font, LEAT_FONT_REPLACEMENT);
    if (font->replacement < 0) font->replacement = font->ascii['?'];
    if (font->replacement < 0) return leat__fail(error, LEAT_EFORMAT, "the font has neither U+FFFD nor '?'");
    return LEAT_OK;
}

const leat_glyph *leat__font_glyph(const leat_font *font, uint32_t code) {
    int i = code < 128 ? font->ascii[code] : index_of(font, code);
    return &font->glyphs[i < 0 ? font->replacement : i];
}

/* ---- opening -------------------------------------------------------------------------------------------------------------- */

static int read_face(leat_font *font, FT_Face face, float pixels, leat_error *error) {
    if (!FT_IS_SCALABLE(face)) return leat__fail(error, LEAT_EFORMAT, "the font has no outlines");
    if (FT_Set_Char_Size(face, 0, (FT_F26Dot6)lrintf(pixels * 64), 72, 72)) return leat__fail(error, LEAT_EFORMAT, "the font cannot be scaled");
    const FT_Size_Metrics *m = &face->size->metrics;
    font->ascent = (int32_t)((m->ascender + 63) >> 6);
    font->descent = (int32_t)((-m->descender + 63) >> 6);
    font->line = font->ascent + font->descent;
    if (font->ascent < 0 || font->descent < 0 || font->line < 1 || font->line > MOST_SIDE)
        return leat__fail(error, LEAT_EFORMAT, "the font's line is %d pixels high", (int)font->line);
    return add_glyphs(font, face, error);
}

static int read_file(leat_font *font, const char *path, float pixels, leat_error *error) {
    FT_Library library;
    FT_Face    face;
    if (FT_Init_FreeType(&library)) return leat__fail(error, LEAT_ENOMEM, "FreeType does not start");
    FT_Error failed = FT_New_Face(library, path, 0, &face);
    int      status = LEAT_OK;
    if (failed && access(path, R_OK) != 0) status = leat__fail(error, LEAT_EIO, "the font file cannot be read");
    else if (failed) status = leat__fail(error, LEAT_EFORMAT, "not a font (FreeType error %d)", (int)failed);
    else status = read_face(font, face, pixels, error);
    FT_Done_FreeType(library); /* with its faces */
    return status == LEAT_OK ? status : leat__fail_prefix(error, status, "%s", path);
}

int leat_font_open(const char *path, float pixels, leat_font **out, leat_error *error) {
    char found[256];
    *out = NULL;
    if (!(pixels >= 6 && pixels <= 400)) return leat__fail(error, LEAT_EINVAL, "a font of %g pixels: 6 to 400 are possible", (double)pixels);
    if (!path && !find_default(found, sizeof found))
        return leat__fail(error, LEAT_EIO, "no %s on this system: install the package fonts-dejavu-core, or name a font file", default_name);
    leat_font *font = leat__calloc(1, sizeof *font, LEAT_MEMORY_IO);
    if (!font) return leat__fail(error, LEAT_ENOMEM, "out of memory for a font");
    int status = read_file(font, path ? path : found, pixels, error);
    if (status == LEAT_OK) *out = font;
    else leat_font_close(font);
    return status;
}

void leat_font_close(leat_font *font) {
    if (!font) return;
    leat__free(font->glyphs);
    leat__free(font->pixels);
    leat__free(font);
}

int leat_font_line_height(const leat_font *font) { return font ? font->line : 0; }

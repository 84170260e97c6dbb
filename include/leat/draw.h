/* draw.h - drawing on frames: boxes, corner brackets, labels in a real font, bars, panels.
 *
 * Everything draws straight into a frame of any format (video.h), without a detour over RGB: a colour is converted once to the frame's
 * matrix and range, luma is blended pixel by pixel, chroma by the mean coverage of the pixels it serves.  All is clipped to the frame and
 * blended by alpha.  Coordinates are pixels of the frame, the top left corner of the top left pixel is (0, 0); not finite ones draw nothing.
 *
 * Drawing allocates nothing and never fails: RT-safe.  A frame that is not valid (leat_frame_is_valid) is left alone.  One thread at a
 * time for one frame; a font may be used by any number of threads at once.
 */
#ifndef LEAT_DRAW_H
#define LEAT_DRAW_H

#include "leat/video.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* 0xRRGGBBAA; alpha 255 is opaque. */
typedef uint32_t leat_rgba;
#define LEAT_RGBA(r, g, b, a) ((leat_rgba)((uint32_t)(r) << 24 | (uint32_t)(g) << 16 | (uint32_t)(b) << 8 | (uint32_t)(a)))

/* A colour for class or track `index`, opaque: easily told apart from its neighbours.  Any int.  RT-safe. */
leat_rgba leat_draw_palette(int index);
/* Black or white, whichever is read better on `background`.  RT-safe. */
leat_rgba leat_draw_contrast(leat_rgba background);
/* What lengths are multiplied with so that a drawing looks the same at every frame size: height / 1080, at least 0.1.  RT-safe. */
float leat_draw_scale(const leat_frame *frame);

/* ---- fonts ---------------------------------------------------------------------------------------------------------------- */

/* The glyphs of one font file at one size (ASCII, Latin-1, Latin Extended-A, Greek, Cyrillic), rasterised when it is opened. */
typedef struct leat_font leat_font;

/* Opens the font file `path`, or with NULL DejaVu Sans where the system keeps it, at `pixels` (6..400) an em.  *font: the caller takes it,
 * leat_font_close().  LEAT_EIO when there is none (the message names the package), LEAT_EFORMAT, LEAT_EINVAL, LEAT_ENOMEM.  Any thread;
 * not RT-safe. */
int leat_font_open(const char *path, float pixels, leat_font **font, leat_error *error);
/* NULL allowed. */
void leat_font_close(leat_font *font);
/* Pixels that the longest line of `text` (UTF-8; \n ends a line) takes in width.  RT-safe. */
int leat_font_width(const leat_font *font, const char *text);
/* Pixels from the top of a line to the top of the next.  RT-safe. */
int leat_font_line_height(const leat_font *font);

/* ---- shapes --------------------------------------------------------------------------------------------------------------- */

/* Fills the rectangle of pixels. */
void leat_draw_fill(leat_frame *frame, int x, int y, int width, int height, leat_rgba color);
/* Outline of box [x1, y1, x2, y2], rounded to whole pixels, `thickness` >= 1 pixels inwards. */
void leat_draw_box(leat_frame *frame, const float box[4], int thickness, leat_rgba color);
/* The four rounded corners of a box.  With s = leat_draw_scale(): thickness 3 s, arms of 0.22 of the shorter side (18 s to 40 s), radius 0.3
 * of an arm (4 s at least). */
void leat_draw_brackets(leat_frame *frame, const float box[4], leat_rgba color);
/* A line `thickness` pixels wide with round ends. */
void leat_draw_line(leat_frame *frame, float x1, float y1, float x2, float y2, float thickness, leat_rgba color);
/* A filled circle. */
void leat_draw_disc(leat_frame *frame, float x, float y, float radius, leat_rgba color);
/* `segments` (1..64) segments one above the other in [x, y, width, height], `gap` pixels apart; the lowest ceil(value * segments) are lit
 * white, the others grey, all outlined.  value is clamped to 0..1, NaN is 0. */
void leat_draw_bar(leat_frame *frame, int x, int y, int width, int height, int gap, int segments, float value);

/* ---- text ----------------------------------------------------------------------------------------------------------------- */

/* Text (UTF-8; \n starts a new line, broken bytes show as the replacement character) whose first line has its top left at (x, y). */
void leat_draw_text(leat_frame *frame, const leat_font *font, int x, int y, const char *text, leat_rgba color);
/* One line on a ground of its own, standing on (x, y) = its bottom left; moved so that it stays in the frame where it fits, and below y when
 * there is no room above.  Its text is in leat_draw_contrast(). */
void leat_draw_label(leat_frame *frame, const leat_font *font, int x, int y, const char *text, leat_rgba ground);
/* Lines on a dark ground in a corner: 0 top left, 1 top right, 2 bottom left, 3 bottom right.  For stage times. */
void leat_draw_panel(leat_frame *frame, const leat_font *font, int corner, const char *text);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif

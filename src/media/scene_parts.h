/* scene_parts.h - what the files of the synthetic scene share: parameters, sprites, a frame's moment, the drawing surface.
 *
 *     scene.c             opening, one frame from end to end, kept truth
 *     scene_spec.c        KEY=VALUE
 *     scene_noise.c       value noise, uniform draws
 *     scene_background.c  wood, cloth, ... and clutter, painted once
 *     scene_coin.c        relief of a coin's face      \  sprites hold normals, not colours: light and reflections
 *     scene_bead.c        ray-cast bodies of revolution /  stay where they are while an object turns
 *     scene_material.c    what a normal of a material looks like under the scene's light
 *     scene_motion.c      where everything is at a time: paths, turning, light, shake
 *     scene_draw.c        shadows, objects with motion blur, who is visible where
 *     scene_sensor.c      background with shake, light, noise
 */
#ifndef LEAT_MEDIA_SCENE_PARTS_H
#define LEAT_MEDIA_SCENE_PARTS_H

#include <stdatomic.h>

#include "media/scene.h"

enum { SCENE_COIN, SCENE_BEAD, SCENE_CLASSES };
enum { SCENE_MAX_OBJECTS = 200, SCENE_MAX_SPRITES = 16, SCENE_MATCAP = 96, SCENE_LATTICE = 128 };
enum { SCENE_NOISE = 16384, SCENE_NOISE_RUN = 4096, SCENE_BLUR = 60 /* longest path of an open shutter, pixels */ };
enum { SCENE_BG_WOOD, SCENE_BG_CLOTH, SCENE_BG_GRADIENT, SCENE_BG_PAPER, SCENE_BG_STONE, SCENE_BG_TILES, SCENE_BG_COUNT };
/* Streams of the generator: nothing draws from another's. */
enum { SCENE_RNG_LATTICE = 1, SCENE_RNG_LOOK, SCENE_RNG_BACKGROUND, SCENE_RNG_CLUTTER, SCENE_RNG_LIGHT, SCENE_RNG_NOISE,
       SCENE_RNG_GRAIN, SCENE_RNG_SPRITE = 1 << 16, SCENE_RNG_LIFE = 1 << 20 };

typedef struct scene_spec {
    uint64_t seed;
    int64_t  frames;
    double   fps;
    int32_t  width, height, objects, background; /* background -1 = the seed's choice */
    leat_pixel_format format;
    leat_color_matrix matrix;
    float    coins, scale, blur, noise, shake, shadow, light, clutter;
} scene_spec;

/* A point of an object's surface: unit normal, coverage, mix of the two colours, how open it lies, how glossy it is; 0..255
 * each, the normal's x and y as 128 + 127 v, z as 255 v. */
typedef struct scene_texel {
    uint8_t nx, ny, nz, alpha, tone, open, gloss, unused;
} scene_texel;

typedef struct scene_sprite {
    scene_texel *texels;  /* [side, side] over -SCENE_REACH..SCENE_REACH in radii */
    int32_t side;
    int32_t class_index;
    float   thickness;    /* coin: of its edge, in radii */
    float   reeds;        /* coin: ridges around the edge */
    float   inner;        /* coin: below this radius the second metal begins; 0 = one metal */
} scene_sprite;
#define SCENE_REACH 1.12f

/* What a normal (x, y) looks like: `base` is multiplied by the object's colour (128 = 1), `shine` added. */
typedef struct scene_shade {
    uint8_t base[3], unused, shine[3], unused2;
} scene_shade;
enum { SCENE_POLISHED, SCENE_WORN, SCENE_PLASTIC, SCENE_GLASS, SCENE_MATTE, SCENE_MATERIALS };
typedef struct scene_matcap {
    scene_shade shade[SCENE_MATCAP * SCENE_MATCAP];
} scene_matcap;

/* One object at one time. */
typedef struct scene_object {
    int32_t track, class_index, sprite, material;
    float   x, y, radius;      /* centre and radius, frame pixels */
    float   turn;              /* in the plane of a coin's face, or of the image for a bead; radians */
    float   tilt, lean;        /* coin: away from the camera; direction of the ellipse's long axis */
    float   blur_x, blur_y;    /* path while the shutter is open, pixels */
    float   depth;             /* later drawn on top */
    uint8_t color[2][3];
    /* Filled by drawing. */
    int32_t area;              /* pixels covered by half or more, also outside the frame */
    int32_t left, top, right, bottom; /* of the drawn patch inside the frame, exclusive right and bottom */
} scene_object;

/* The light at one time: gain of a pixel = color * (1 + slope . (position - centre)) * (1 - band). */
typedef struct scene_light {
    float gain[3], slope_x, slope_y;
    float band_x, band_y, band_at, band_soft, band_depth; /* a soft shadow that crosses the picture */
} scene_light;

typedef struct scene_moment {
    float shake_x, shake_y;
    scene_light light;
    int32_t count;
    scene_object objects[SCENE_MAX_OBJECTS];
} scene_moment;

/* Constant features of the scene, drawn from its seed. */
typedef struct scene_look {
    float light_x, light_y, light_z;   /* towards the light, unit */
    float warm;                        /* colour of the light */
    float tilt, perspective;           /* of the camera */
    float exposure, flicker, drift;
    float band_depth, band_speed, band_angle;
    float shake, shutter, noise_floor, noise_gain, shadow;
    float radius_min, radius_max;      /* pixels */
} scene_look;

typedef struct scene_kept {
    atomic_uint_least64_t version;     /* odd while it is written; the frame's index * 2 + 2 when whole */
    atomic_uint_least32_t count;
    atomic_uint_least32_t *words;      /* [objects, 7] */
} scene_kept;

struct leat__scene {
    scene_spec    spec;
    scene_look    look;
    float        *lattice;             /* [SCENE_LATTICE, SCENE_LATTICE] uniform values; freed after opening */
    uint8_t      *background;          /* [height + 2 margin, width + 2 margin, 3] */
    int32_t       margin;
    scene_sprite  sprites[SCENE_MAX_SPRITES];
    int32_t       sprite_count;
    scene_matcap *matcaps;             /* [SCENE_MATERIALS] */
    int8_t       *grain;               /* [SCENE_NOISE + SCENE_NOISE_RUN] normal, sd 32 */
    uint16_t     *gains;               /* [width * 3] */
    uint8_t      *owner;               /* [height, width]: 1 + place in moment.objects of who is seen there, 0 nobody */
    uint8_t      *canvas;              /* RGB24, when the frame's format is another; NULL else */
    uint8_t      *patch;               /* [patch_side, patch_side, 4] one object, premultiplied */
    uint16_t     *smear;               /* the same, sums of shifted patches */
    int32_t       patch_side;
    scene_moment  moment;
    scene_kept    kept[LEAT_SCENE_KEPT];
};

int leat__scene_parse(const char *text, scene_spec *spec, leat_error *error);

/* Uniform in [low, high): value `index` of `stream`. */
float leat__scene_draw(const scene_spec *spec, uint64_t stream, uint64_t index, float low, float high);
int leat__scene_pick(const scene_spec *spec, uint64_t stream, uint64_t index, int count);
/* Smooth value noise 0..1 with one value a unit, and the sum of `octaves` of it. */
float leat__scene_noise(const leat__scene *scene, float x, float y);
float leat__scene_fractal(const leat__scene *scene, float x, float y, int octaves);
static inline float scene_clamp(float v, float low, float high) { return v < low ? low : v > high ? high : v; }
static inline float scene_step(float low, float high, float v) {
    v = scene_clamp((v - low) / (high - low), 0, 1);
    return v * v * (3 - 2 * v);
}
static inline float scene_mix(float a, float b, float t) { return a + (b - a) * t; }
static inline uint8_t scene_byte(float v) { return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)(v + 0.5f); }
void leat__scene_normal_store(scene_texel *texel, float x, float y, float z);

void leat__scene_paint_background(leat__scene *scene);
void leat__scene_paint_clutter(leat__scene *scene);
/* `heights` is scratch [side, side]. */
void leat__scene_make_coin(const leat__scene *scene, uint64_t stream, scene_sprite *sprite, float *heights);
void leat__scene_make_bead(const leat__scene *scene, uint64_t stream, scene_sprite *sprite);
void leat__scene_make_matcaps(leat__scene *scene);

void leat__scene_choose_look(leat__scene *scene);
/* Fills scene->moment for frame `index`, objects in drawing order. */
void leat__scene_move(leat__scene *scene, int64_t index);
/* Colours of an object, from its life's stream. */
void leat__scene_choose_colors(const leat__scene *scene, uint64_t stream, uint64_t at, scene_object *object);

void leat__scene_draw_background(const leat__scene *scene, uint8_t *pixels, int64_t stride);
void leat__scene_draw_objects(leat__scene *scene, uint8_t *pixels, int64_t stride);
void leat__scene_expose(leat__scene *scene, int64_t index, uint8_t *pixels, int64_t stride);

#endif

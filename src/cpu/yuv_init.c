/* yuv_init.c - dispatch table and coefficients of the colour kernels (ITU-R BT.601-7 and BT.709-6, 8 bits). */
#include "cpu/yuv.h"

#include <math.h>

#include "cpu/cpu.h"

leat_yuv_table leat__yuv;

void leat__yuv_init(leat_isa level) {
    leat__yuv = (leat_yuv_table){leat_u8_yuv_from_rgb_ref, leat_u8_yuv_to_rgb_ref, leat_u8_split_ref,
                                 leat_u8_join_ref,         leat_u8_average_ref,    leat_u8_reorder_ref};
#if LEAT_CPU_X86
    if (level < LEAT_ISA_AVX2) return;
    leat__yuv = (leat_yuv_table){leat_u8_yuv_from_rgb_avx2, leat_u8_yuv_to_rgb_avx2, leat_u8_split_avx2,
                                 leat_u8_join_avx2,         leat_u8_average_avx2,    leat_u8_reorder_avx2};
#elif LEAT_CPU_ARM
    if (level < LEAT_ISA_NEON) return;
    leat__yuv = (leat_yuv_table){leat_u8_yuv_from_rgb_neon, leat_u8_yuv_to_rgb_neon, leat_u8_split_neon,
                                 leat_u8_join_neon,         leat_u8_average_neon,    leat_u8_reorder_neon};
#endif
}

static int16_t fixed(double value, int bits) { return (int16_t)lrint(ldexp(value, bits)); }

static void swap(int16_t *a, int16_t *b) {
    int16_t t = *a;
    *a = *b;
    *b = t;
}

/* Green takes the rounding, so that grey stays grey: the luma weights sum to their scale, the chroma weights to zero. */
void leat__yuv_forward_make(leat_yuv_forward *k, int bt709, int full_range, int blue_first) {
    double red = bt709 ? 0.2126 : 0.299, blue = bt709 ? 0.0722 : 0.114;
    double luma = full_range ? 1.0 : 219.0 / 255.0, chroma = full_range ? 1.0 : 224.0 / 255.0;
    k->y[0] = fixed(red * luma, 15);
    k->y[2] = fixed(blue * luma, 15);
    k->y[1] = (int16_t)(lrint(ldexp(luma, 15)) - k->y[0] - k->y[2]);
    k->u[2] = k->v[0] = fixed(0.5 * chroma, 15);
    k->u[0] = fixed(-0.5 * red / (1.0 - blue) * chroma, 15);
    k->v[2] = fixed(-0.5 * blue / (1.0 - red) * chroma, 15);
    k->u[1] = (int16_t)(-k->u[0] - k->u[2]);
    k->v[1] = (int16_t)(-k->v[0] - k->v[2]);
    k->y_bias = ((full_range ? 0 : 16) << 15) + (1 << 14);
    k->c_bias = (128 << 17) + (1 << 16);
    if (!blue_first) return;
    swap(&k->y[0], &k->y[2]);
    swap(&k->u[0], &k->u[2]);
    swap(&k->v[0], &k->v[2]);
}

void leat__yuv_inverse_make(leat_yuv_inverse *k, int bt709, int full_range, int blue_first) {
    double red = bt709 ? 0.2126 : 0.299, blue = bt709 ? 0.0722 : 0.114, green = 1.0 - red - blue;
    double luma = full_range ? 1.0 : 255.0 / 219.0, chroma = full_range ? 1.0 : 255.0 / 224.0;
    double to_red = 2.0 * (1.0 - red) * chroma, to_blue = 2.0 * (1.0 - blue) * chroma;
    k->luma = fixed(luma, 14);
    k->v0 = fixed(to_red, 13);
    k->u1 = fixed(-to_blue * blue / green, 13);
    k->v1 = fixed(-to_red * red / green, 13);
    k->u2 = fixed(to_blue, 13);
    k->y_offset = full_range ? 0 : 16;
    k->blue_first = (int16_t)blue_first;
}

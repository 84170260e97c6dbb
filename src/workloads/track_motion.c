/* track_motion.c - the constant-velocity filter of track_motion.h. */
#include "track_motion.h"

#define POSITION (1.0f / 20)  /* standard deviations, as parts of the height */
#define VELOCITY (1.0f / 160)
#define ASPECT 1e-2f          /* and of the aspect, absolute */
#define ASPECT_VELOCITY 1e-5f
#define ASPECT_MEASURED 1e-1f
#define LEAST_HEIGHT 1e-3f

static float square(float x) { return x * x; }

static void measure(const float box[4], float z[4]) {
    float w = box[2] - box[0], h = box[3] - box[1];
    z[0] = (box[0] + box[2]) / 2, z[1] = (box[1] + box[3]) / 2;
    z[2] = w / h, z[3] = h;
}

static float height_of(const leat__motion *m) { return m->axis[3].p > LEAST_HEIGHT ? m->axis[3].p : LEAST_HEIGHT; }

void leat__motion_start(leat__motion *m, const float box[4]) {
    float z[4];
    measure(box, z);
    for (int i = 0; i < 4; i++) {
        float position = i == 2 ? ASPECT : 2 * POSITION * z[3], velocity = i == 2 ? ASPECT_VELOCITY : 10 * VELOCITY * z[3];
        m->axis[i] = (leat__axis){z[i], 0, square(position), 0, square(velocity)};
    }
}

void leat__motion_predict(leat__motion *m, float elapsed) {
    float h = height_of(m);
    for (int i = 0; i < 4; i++) {
        leat__axis *a = &m->axis[i];
        float position = i == 2 ? ASPECT : POSITION * h, velocity = i == 2 ? ASPECT_VELOCITY : VELOCITY * h;
        a->p += elapsed * a->v;
        a->pp += elapsed * (2 * a->pv + elapsed * a->vv) + elapsed * square(position);
        a->pv += elapsed * a->vv;
        a->vv += elapsed * square(velocity);
    }
    if (m->axis[3].p < LEAST_HEIGHT) m->axis[3].p = LEAST_HEIGHT; /* a shrinking box that was lost must not turn inside out */
    if (m->axis[2].p < 1e-3f) m->axis[2].p = 1e-3f;
}

void leat__motion_hold_shape(leat__motion *m) { m->axis[2].v = m->axis[3].v = 0; }

void leat__motion_correct(leat__motion *m, const float box[4]) {
    float z[4], noise = POSITION * height_of(m);
    measure(box, z);
    for (int i = 0; i < 4; i++) {
        leat__axis *a = &m->axis[i];
        float s = a->pp + square(i == 2 ? ASPECT_MEASURED : noise), gain = a->pp / s, gain_v = a->pv / s, off = z[i] - a->p;
        a->p += gain * off;
        a->v += gain_v * off;
        a->vv -= gain_v * a->pv;
        a->pv *= 1 - gain;
        a->pp *= 1 - gain;
    }
}

void leat__motion_box(const leat__motion *m, float box[4]) {
    float h = height_of(m), w = m->axis[2].p * h;
    box[0] = m->axis[0].p - w / 2, box[1] = m->axis[1].p - h / 2;
    box[2] = m->axis[0].p + w / 2, box[3] = m->axis[1].p + h / 2;
}

/* track_motion.h - where a box will be: a Kalman filter over centre, aspect and height.
 *
 * State and noise are those of DeepSORT (Wojke et al. 2017): position and velocity of cx, cy, aspect = w / h and h, process and measurement
 * noise proportional to h.  Its matrices couple no two of the four, so the 8 x 8 filter is exactly four filters of two states, done as such.
 */
#ifndef LEAT_WORKLOADS_TRACK_MOTION_H
#define LEAT_WORKLOADS_TRACK_MOTION_H

typedef struct leat__axis {
    float p, v;           /* position, velocity a frame */
    float pp, pv, vv;     /* covariance */
} leat__axis;

/* cx, cy, aspect, h. */
typedef struct leat__motion {
    leat__axis axis[4];
} leat__motion;

/* box: x1 y1 x2 y2, of positive area. */
void leat__motion_start(leat__motion *motion, const float box[4]);
/* Moves on by `elapsed` frames. */
void leat__motion_predict(leat__motion *motion, float elapsed);
/* Stops the change of aspect and height, as ByteTrack does for lost objects. */
void leat__motion_hold_shape(leat__motion *motion);
/* Takes a measured box in. */
void leat__motion_correct(leat__motion *motion, const float box[4]);
void leat__motion_box(const leat__motion *motion, float box[4]);

#endif

/* source.c - what all sources share: the choice of a kind, stride, loop, pacing, time stamps, counters, cancelling.  See source.h. */
#include "media/source.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "media/frame.h"

#define SECOND_NS 1000000000.0

void leat_source_options_default(leat_source_options *options) {
    *options = (leat_source_options){.size = sizeof *options, .loop = 1, .stride = 1, .max_pixels = (uint64_t)1 << 28, .raw_format = LEAT_PIXEL_UYVY, .fps = 30};
}

/* ---- helpers of the kinds --------------------------------------------------------------------------------------------------- */

leat_color_matrix leat__matrix_of_size(int width, int height) {
    return width >= 1280 || height >= 720 ? LEAT_MATRIX_BT709 : LEAT_MATRIX_BT601;
}

int leat__source_check_size(const leat_source *base, int64_t width, int64_t height, const char *what, leat_error *error) {
    if (width < 1 || height < 1) return leat__fail(error, LEAT_EFORMAT, "%s: frames of %lld x %lld pixels", what, (long long)width, (long long)height);
    if (width > LEAT_FRAME_MAX_SIDE || height > LEAT_FRAME_MAX_SIDE || (uint64_t)width * (uint64_t)height > base->options.max_pixels)
        return leat__fail(error, LEAT_ELIMIT, "%s: frames of %lld x %lld pixels are over the limit of %llu pixels (%d a side)", what, (long long)width,
                          (long long)height, (unsigned long long)base->options.max_pixels, LEAT_FRAME_MAX_SIDE);
    return LEAT_OK;
}

void leat__source_note_damage(leat_source *base, const char *text) {
    base->damaged++;
    snprintf(base->damage, sizeof base->damage, "%s", text);
}

int leat__source_wait(leat_source *base, int fd, int64_t until_ns) {
    for (;;) {
        if (atomic_load(&base->cancelled)) return -1;
        struct pollfd fds[2] = {{base->cancel_fd, POLLIN, 0}, {fd, POLLIN, 0}};
        struct timespec wait;
        if (until_ns != INT64_MAX) {
            int64_t left = until_ns - leat__now_ns();
            if (left <= 0) return 0;
            wait = (struct timespec){left / 1000000000, left % 1000000000};
        }
        int n = ppoll(fds, fd >= 0 ? 2 : 1, until_ns != INT64_MAX ? &wait : NULL, NULL);
        if (n < 0 && errno != EINTR) return 1; /* the read that follows tells what is wrong */
        if (n > 0 && fds[0].revents) return -1;
        if (n > 0) return 1;
    }
}

void leat_source_cancel(leat_source *source) {
    uint64_t one = 1;
    int saved = errno;
    atomic_store(&source->cancelled, 1);
    if (write(source->cancel_fd, &one, sizeof one) < 0) errno = saved; /* the flag alone then ends the next wait */
}

static int64_t frames_in_all(const leat_source *base) {
    int64_t n = base->frames, limit = base->options.max_frames;
    if (base->options.loop == 0 || n < 0) n = -1;
    else if (__builtin_mul_overflow(n, (int64_t)base->options.loop, &n)) n = -1;
    if (n >= 0) n = n / base->options.stride + (n % base->options.stride != 0);
    return limit && n > limit ? limit : n;
}

/* Refreshes what describe() tells. */
static void show(leat_source *base) {
    const leat_source_next_frame *next = &base->next;
    leat_source_info info = {.kind = base->kind->name, .format = next->format, .matrix = next->matrix, .full_range = next->full_range, .width = next->width,
                             .height = next->height, .fps = base->fps, .frames = frames_in_all(base), .given = base->given, .late = base->late,
                             .damaged = base->damaged, .retimed = base->retimed};
    info.live = base->kind->live || base->options.live_fps > 0;
    if (base->options.live_fps > 0) info.fps = base->options.live_fps;
    info.frame_bytes = leat_frame_bytes(next->format, next->width, next->height);
    memcpy(info.detail, base->detail, sizeof info.detail);
    memcpy(info.damage, base->damage, sizeof info.damage);
    pthread_mutex_lock(&base->shown_lock);
    base->shown = info;
    pthread_mutex_unlock(&base->shown_lock);
}

/* ---- opening ---------------------------------------------------------------------------------------------------------------- */

static int check_options(const leat_source_options *o, leat_error *error) {
    const char *wrong = NULL;
    if (o->size != sizeof *o) wrong = "size (call leat_source_options_default() first)";
    else if (!(o->live_fps >= 0 && o->live_fps <= 1e6)) wrong = "live_fps, 0..1e6";
    else if (!(o->fps >= 1e-3 && o->fps <= 1e6)) wrong = "fps, 0.001..1e6";
    else if (o->loop < 0) wrong = "loop, 0 or more";
    else if (o->stride < 1) wrong = "stride, 1 or more";
    else if (o->max_frames < 0) wrong = "max_frames, 0 or more";
    else if (o->raw_width < 0 || o->raw_height < 0 || !o->raw_width != !o->raw_height) wrong = "raw_width and raw_height, both or none";
    else if (o->raw_width && leat_frame_bytes(o->raw_format, o->raw_width, o->raw_height) == 0) wrong = "raw_width, raw_height (1..65535) or raw_format";
    else if (o->threads < 0 || o->threads > LEAT_MAX_THREADS) wrong = "threads";
    return wrong ? leat__fail(error, LEAT_EINVAL, "leat_source_options: %s", wrong) : LEAT_OK;
}

static int new_base(const leat_source_options *options, leat_source **source, leat_error *error) {
    leat_source_options defaults;
    leat_source_options_default(&defaults);
    *source = NULL;
    int status = check_options(options ? options : &defaults, error);
    if (status != LEAT_OK) return status;
    leat_source *base = leat__calloc(1, sizeof *base, LEAT_MEMORY_IO);
    if (!base) return leat__fail(error, LEAT_ENOMEM, "no memory for a source");
    base->options = options ? *options : defaults;
    pthread_mutex_init(&base->shown_lock, NULL);
    base->frames = -1;
    base->last_pts = -1;
    base->loops_left = base->options.loop - 1; /* -1 = for ever */
    base->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (base->cancel_fd < 0) {
        int code = errno;
        leat_source_close(base);
        return leat__fail(error, LEAT_EIO, "eventfd: %s", strerror(code));
    }
    *source = base;
    return LEAT_OK;
}

/* A file or pipe: by its first bytes. */
static int open_stream(const char *spec, leat_source *base, leat_error *error) {
    static const uint8_t jpeg[3] = {0xff, 0xd8, 0xff}, png[4] = {0x89, 'P', 'N', 'G'};
    leat_stream   *stream = NULL;
    const uint8_t *head;
    size_t         n = 0;
    int status = leat__stream_open(spec, base, &stream, error);
    if (status != LEAT_OK) return status;
    if (base->options.raw_width) {
        status = leat__raw_source_open(stream, base, error);
        if (status != LEAT_OK) leat__stream_close(stream);
        return status;
    }
    status = leat__stream_peek(stream, 10, &head, &n, error);
    if (status == LEAT_OK && n == 0) status = leat__fail(error, LEAT_EFORMAT, "%s: empty", leat__stream_name(stream));
    int seekable = leat__stream_seekable(stream) && strcmp(spec, "-") != 0;
    if (status == LEAT_OK && n == 10 && memcmp(head, "YUV4MPEG2", 9) == 0) {
        status = leat__y4m_source_open(stream, base, error);
        if (status == LEAT_OK) return LEAT_OK;
    } else if (status == LEAT_OK && seekable && (leat__names_picture(spec) || (n > 3 && (memcmp(head, jpeg, 3) == 0 || memcmp(head, png, 4) == 0)))) {
        leat__stream_close(stream);
        char **paths = leat__calloc(1, sizeof *paths, LEAT_MEMORY_IO);
        if (paths) paths[0] = leat__strdup(spec, LEAT_MEMORY_IO);
        return leat__pictures_source_open(paths, 1, base, error);
    } else if (status == LEAT_OK && seekable) {
        leat__stream_close(stream);
        return leat__plugin_source_open(spec, NULL, base, error);
    } else if (status == LEAT_OK) {
        status = leat__plugin_source_open(spec, stream, base, error);
        if (status == LEAT_OK) return LEAT_OK;
    }
    leat__stream_close(stream);
    return status;
}

static int open_spec(const char *spec, leat_source *base, leat_error *error) {
    struct stat st;
    char **paths = NULL;
    int    count = 0, status;
    if (strncmp(spec, "scene:", 6) == 0) return leat__scene_source_open(spec + 6, base, error);
    if (strstr(spec, "://") || strncmp(spec, "/dev/video", 10) == 0) return leat__plugin_source_open(spec, NULL, base, error);
    if (strcmp(spec, "-") == 0) return open_stream(spec, base, error);
    if (stat(spec, &st) != 0) {
        if (!strpbrk(spec, "*?[")) return leat__fail(error, LEAT_EIO, "%s: %s", spec, strerror(errno));
        status = leat__paths_of_glob(spec, &paths, &count, error);
    } else if (S_ISDIR(st.st_mode)) {
        status = leat__paths_of_folder(spec, &paths, &count, error);
    } else {
        return open_stream(spec, base, error);
    }
    return status == LEAT_OK ? leat__pictures_source_open(paths, count, base, error) : status;
}

/* Hands the base over, or closes it when its kind could not be opened or played as asked. */
static int finish_open(leat_source *base, int status, leat_source **source, leat_error *error) {
    if (status == LEAT_OK && base->options.loop != 1 && !base->kind->rewind)
        status = leat__fail(error, LEAT_EINVAL, "a %s source cannot be played again (loop)", base->kind->name);
    if (status == LEAT_OK) {
        show(base);
        *source = base;
    } else {
        leat_source_close(base);
    }
    return status;
}

int leat_source_open(const char *spec, const leat_source_options *options, leat_source **source, leat_error *error) {
    leat_source *base;
    if (!spec || !*spec) {
        *source = NULL;
        return leat__fail(error, LEAT_EINVAL, "no input is named");
    }
    int status = new_base(options, source, error);
    if (status != LEAT_OK) return status;
    base = *source;
    *source = NULL;
    return finish_open(base, open_spec(spec, base, error), source, error);
}

int leat_source_open_list(const char *const *paths, int count, const leat_source_options *options, leat_source **source, leat_error *error) {
    int status = new_base(options, source, error);
    if (status != LEAT_OK) return status;
    leat_source *base = *source;
    *source = NULL;
    char **copies = NULL;
    if (count < 1) {
        status = leat__fail(error, LEAT_EINVAL, "no pictures are named");
    } else {
        copies = leat__calloc((size_t)count, sizeof *copies, LEAT_MEMORY_IO);
        for (int i = 0; copies && i < count; i++) copies[i] = leat__strdup(paths[i], LEAT_MEMORY_IO);
        status = leat__pictures_source_open(copies, count, base, error);
    }
    return finish_open(base, status, source, error);
}

void leat_source_close(leat_source *source) {
    if (!source) return;
    if (source->kind) source->kind->close(source);
    if (source->cancel_fd >= 0) close(source->cancel_fd);
    pthread_mutex_destroy(&source->shown_lock);
    leat__free(source);
}

/* ---- playing ---------------------------------------------------------------------------------------------------------------- */

static int64_t period_ns(const leat_source *base) {
    double fps = base->fps > 0 ? base->fps : base->options.fps;
    return (int64_t)(SECOND_NS / fps) + 1;
}

static int make_ready(leat_source *base, leat_error *error) { return base->kind->ready ? base->kind->ready(base, error) : LEAT_OK; }

/* From the end of the input back to its start, if it is to be played again. */
static int begin_again(leat_source *base, leat_error *error) {
    if (base->loops_left == 0 || base->at == base->loop_start) return LEAT_EEND;
    int status = base->kind->rewind(base, error);
    if (status != LEAT_OK) return status;
    if (base->loops_left > 0) base->loops_left--;
    base->loop_start = base->at;
    base->loop_pts = base->last_pts + period_ns(base);
    return LEAT_OK;
}

/* Leaves `count` frames out, from one loop into the next, until the input ends for good. */
static int leave_out(leat_source *base, int64_t count, int64_t *done, leat_error *error) {
    *done = 0;
    while (*done < count) {
        int64_t n = 0, asked = count - *done;
        int status = base->kind->skip(base, asked, &n, error);
        base->at += n;
        *done += n;
        if (status == LEAT_OK && n < asked) status = begin_again(base, error);
        if (status != LEAT_OK) return status;
    }
    return LEAT_OK;
}

/* Brings the next frame that stride and the end of a loop leave. */
static int find_next(leat_source *base, leat_error *error) {
    int64_t stride = base->options.stride, done;
    for (;;) {
        int status = LEAT_OK;
        if (base->at % stride) status = leave_out(base, stride - base->at % stride, &done, error);
        if (status == LEAT_OK) status = make_ready(base, error);
        if (status == LEAT_OK && base->at % stride) continue; /* damaged pictures were passed */
        if (status != LEAT_EEND) return status;
        status = begin_again(base, error);
        if (status != LEAT_OK) return status;
    }
}

/* Waits until the frame in hand is due, or leaves out those whose time is over.  *due: of the frame that is next now. */
static int keep_pace(leat_source *base, int64_t *due, leat_error *error) {
    double  period = SECOND_NS / base->options.live_fps;
    int64_t stride = base->options.stride, now = leat__now_ns(), done;
    if (base->live_start == 0) base->live_start = now - (int64_t)((double)(base->at / stride) * period);
    *due = base->live_start + (int64_t)((double)(base->at / stride) * period);
    if ((double)(now - *due) > period) {
        int64_t over = (int64_t)((double)(now - *due) / period);
        int status = leave_out(base, over * stride, &done, error);
        base->late += done / stride;
        if (status == LEAT_OK) status = find_next(base, error);
        if (status != LEAT_OK) return status;
        *due = base->live_start + (int64_t)((double)(base->at / stride) * period);
    }
    return leat__source_wait(base, -1, *due) < 0 ? leat__fail(error, LEAT_ECANCELLED, "cancelled") : LEAT_OK;
}

/* Time stamps increase strictly, whatever the input says. */
static void settle_times(leat_source *base, leat_frame *frame, int64_t began) {
    int absent = frame->pts_ns == LEAT_NO_PTS;
    int64_t pts = absent ? 0 : frame->pts_ns > INT64_MAX / 4 ? INT64_MAX / 4 : frame->pts_ns;
    pts += base->loop_pts;
    if (absent || pts <= base->last_pts || pts < 0) {
        pts = base->last_pts < 0 ? 0 : base->last_pts + period_ns(base);
        base->retimed += absent || base->last_pts >= 0;
    }
    frame->pts_ns = base->last_pts = pts;
    if (base->options.live_fps > 0 || frame->capture_ns == 0) frame->capture_ns = began;
}

static int give_next(leat_source *base, void *buffer, size_t bytes, leat_frame *frame, leat_error *error) {
    int64_t began = leat__now_ns();
    if (base->options.max_frames && base->given >= base->options.max_frames) return LEAT_EEND;
    int status = find_next(base, error);
    if (status == LEAT_OK && base->options.live_fps > 0) status = keep_pace(base, &began, error);
    if (status != LEAT_OK) return status;
    const leat_source_next_frame *next = &base->next;
    size_t needed = leat_frame_bytes(next->format, next->width, next->height);
    if (bytes < needed)
        return leat__fail(error, LEAT_ELIMIT, "the next frame, %d x %d %s, needs %zu bytes; the buffer has %zu", next->width, next->height,
                          leat_pixel_format_name(next->format), needed, bytes);
    *frame = (leat_frame){.matrix = next->matrix, .full_range = next->full_range, .index = base->at, .pts_ns = LEAT_NO_PTS};
    leat_frame_layout(frame, next->format, next->width, next->height, buffer);
    status = base->kind->read(base, frame, error);
    if (status != LEAT_OK) return status;
    settle_times(base, frame, began);
    base->at++;
    base->given++;
    return LEAT_OK;
}

/* After all were damaged, the end is a failure that says so. */
static int end_or_damage(const leat_source *base, leat_error *error) {
    if (base->given || !base->damaged) return leat__fail(error, LEAT_EEND, "end of the stream");
    return leat__fail(error, LEAT_EFORMAT, "nothing could be decoded: %s", base->damage);
}

int leat_source_next(leat_source *source, void *buffer, size_t bytes, leat_frame *frame, leat_error *error) {
    leat_error local = {0};
    if (!source || !frame || (!buffer && bytes)) return leat__fail(error, LEAT_EINVAL, "leat_source_next() without a source, a frame or a buffer");
    if (atomic_load(&source->cancelled)) return leat__fail(error, LEAT_ECANCELLED, "cancelled");
    if (source->failure.status == LEAT_OK) {
        int status = give_next(source, buffer, bytes, frame, &local);
        show(source);
        if (status == LEAT_OK) return LEAT_OK;
        if (status == LEAT_EEND) status = end_or_damage(source, &local);
        if (status == LEAT_ELIMIT && leat_frame_bytes(source->next.format, source->next.width, source->next.height) > bytes) {
            if (error) *error = local; /* a matter of the buffer: not the end */
            return status;
        }
        source->failure = local;
        source->failure.status = status;
    }
    if (error) *error = source->failure;
    return source->failure.status;
}

/* ---- questions -------------------------------------------------------------------------------------------------------------- */

void leat_source_describe(const leat_source *source, leat_source_info *info) {
    leat_source *base = (leat_source *)(uintptr_t)source; /* the lock is not part of what it tells */
    pthread_mutex_lock(&base->shown_lock);
    *info = base->shown;
    pthread_mutex_unlock(&base->shown_lock);
}

int leat_source_truth(const leat_source *source, int64_t index, leat_truth *objects, int capacity, int *count) {
    if (!source || !count || index < 0 || capacity < 0 || (capacity && !objects)) return LEAT_EINVAL;
    *count = 0;
    if (!source->kind->truth) return LEAT_EUNSUPPORTED;
    if (source->frames > 0) index %= source->frames; /* a scene that loops */
    return source->kind->truth(source, index, objects, capacity, count);
}

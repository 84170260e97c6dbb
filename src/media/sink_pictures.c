/* sink_pictures.c - one JPEG or PNG a frame.  The name's %d is the frame's index in its source, so that names and other records agree. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/mem.h"
#include "media/sink.h"

typedef struct picture_sink {
    char              before[PATH_MAX], after[256]; /* of the number */
    int               digits;                       /* of it at least; -1 = the name has no number */
    int               is_png;
    leat_frame_buffer buffer;
} picture_sink;

/* Cuts a pattern with one %d or %0Nd into its parts; "%%" is not known here. */
static int parse_pattern(const char *pattern, picture_sink *p, leat_error *error) {
    const char *percent = strchr(pattern, '%'), *at = percent;
    p->digits = -1;
    if (strlen(pattern) >= sizeof p->before) return leat__fail(error, LEAT_EIO, "%.300s: the name is too long", pattern);
    strcpy(p->before, pattern);
    if (!percent) return LEAT_OK;
    p->digits = 1;
    if (*++at == '0' && at[1] >= '1' && at[1] <= '9') {
        p->digits = at[1] - '0';
        at += 2;
    }
    if (*at != 'd' || strchr(at, '%') || strlen(at + 1) >= sizeof p->after)
        return leat__fail(error, LEAT_EINVAL, "%s: a name of pictures has one number, such as %%06d, and no other %%", pattern);
    p->before[percent - pattern] = 0;
    strcpy(p->after, at + 1);
    return LEAT_OK;
}

static int write_picture(leat_sink *base, const leat_frame *frame, leat_error *error) {
    picture_sink *p = base->state;
    char          path[PATH_MAX];
    leat_frame    rgb = *frame;
    int status = LEAT_OK, n;
    if (p->digits < 0 && base->frames > 0)
        return leat__fail(error, LEAT_EINVAL, "%s holds one picture; put a number into the name (f%%06d.jpg) or name a folder", base->spec);
    n = p->digits < 0 ? snprintf(path, sizeof path, "%s", p->before)
                      : snprintf(path, sizeof path, "%s%0*lld%s", p->before, p->digits, (long long)frame->index, p->after);
    if (n < 0 || (size_t)n >= sizeof path) return leat__fail(error, LEAT_EIO, "%.300s: the name is too long", p->before);
    if (frame->format != LEAT_PIXEL_RGB24) status = leat__frame_into(&p->buffer, frame, LEAT_PIXEL_RGB24, &rgb, error);
    if (status != LEAT_OK) return status;
    leat_image image = {rgb.plane[0], rgb.width, rgb.height, rgb.stride[0]};
    return p->is_png ? leat_image_save_png(path, &image, error) : leat_image_save_jpeg(path, &image, base->options.quality, error);
}

static int close_pictures(leat_sink *base, leat_error *error) {
    picture_sink *p = base->state;
    leat__free(p->buffer.data);
    leat__free(p);
    return LEAT_OK;
}

static const leat_sink_kind pictures_kind = {write_picture, close_pictures, 0};

/* A folder is made if it is not there, its parents are not. */
static int open_folder(const char *spec, picture_sink *p, leat_error *error) {
    char path[PATH_MAX];
    size_t n = strlen(spec);
    struct stat st;
    if (mkdir(spec, 0777) != 0 && errno != EEXIST) return leat__fail(error, LEAT_EIO, "%s: %s", spec, strerror(errno));
    if (stat(spec, &st) != 0 || !S_ISDIR(st.st_mode)) return leat__fail(error, LEAT_EIO, "%s: not a folder", spec);
    int length = snprintf(path, sizeof path, "%s%s", spec, spec[n - 1] == '/' ? "" : "/");
    if (length < 0 || (size_t)length >= sizeof path || strchr(spec, '%')) return leat__fail(error, LEAT_EIO, "%.300s: no name for a folder of pictures", spec);
    strcpy(p->before, path);
    strcpy(p->after, ".jpg");
    p->digits = 6;
    return LEAT_OK;
}

int leat__pictures_sink_open(leat_sink *base, leat_error *error) {
    const char *spec = base->spec, *dot = strrchr(spec, '.');
    struct stat st;
    picture_sink *p = leat__calloc(1, sizeof *p, LEAT_MEMORY_IO);
    if (!p) return leat__fail(error, LEAT_ENOMEM, "%s: out of memory", spec);
    int is_folder = spec[strlen(spec) - 1] == '/' || (stat(spec, &st) == 0 && S_ISDIR(st.st_mode));
    int status = is_folder ? open_folder(spec, p, error) : parse_pattern(spec, p, error);
    p->is_png = !is_folder && dot && strcasecmp(dot, ".png") == 0;
    if (status != LEAT_OK) {
        leat__free(p);
        return status;
    }
    base->kind = &pictures_kind;
    base->state = p;
    return LEAT_OK;
}

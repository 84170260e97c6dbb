/* out_file.c - see out_file.h.
 *
 * The reserve is made with fallocate() behind the end of the file, ahead of what is written; when that fails for lack of space the
 * reserve made before is still there.  File systems without fallocate() do without.
 */
#include "media/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/target.h"

#define RESERVE_STEP ((int64_t)8 << 20)

struct leat_out_file {
    leat_target target;
    int     is_pipe, full, can_reserve;
    int64_t position, size; /* size: of what was written */
    int64_t reserve;        /* bytes that are to be kept free */
    int64_t reserved_to;    /* the disk has room up to this position */
    char   *path;           /* as the caller calls it */
};

static int fail_errno(const leat_out_file *f, int code, leat_error *error) {
    if (code == EPIPE) return leat__fail(error, LEAT_EIO, "%s: the reader closed the pipe", f->path);
    return leat__fail(error, LEAT_EIO, "%s: %s", f->path, strerror(code));
}

static void free_file(leat_out_file *f) {
    leat__free(f->path);
    leat__free(f);
}

static int open_target(leat_out_file *f, const char *path, leat_error *error) {
    int status = leat__target_open(path, &f->target, error);
    f->is_pipe = !f->target.temporary; /* or a device */
    f->can_reserve = !f->is_pipe;
    return status;
}

static int open_stdout(leat_out_file *f, leat_error *error) {
    struct stat st;
    f->target.fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (f->target.fd < 0 || fstat(f->target.fd, &st) != 0) return fail_errno(f, errno, error);
    f->is_pipe = 1; /* a redirected file too: it is not ours to cut or seek in */
    if (S_ISFIFO(st.st_mode)) (void)fcntl(f->target.fd, F_SETPIPE_SZ, 1 << 20);
    return LEAT_OK;
}

int leat__out_open(const char *path, leat_out_file **file, leat_error *error) {
    int is_stdout = strcmp(path, "-") == 0;
    leat_out_file *f = leat__calloc(1, sizeof *f, LEAT_MEMORY_IO);
    *file = NULL;
    if (f) f->path = leat__strdup(is_stdout ? "standard output" : path, LEAT_MEMORY_IO);
    if (!f || !f->path) {
        leat__free(f);
        return leat__fail(error, LEAT_ENOMEM, "%s: out of memory", path);
    }
    int status = is_stdout ? open_stdout(f, error) : open_target(f, path, error);
    if (status == LEAT_OK) *file = f;
    else free_file(f);
    return status;
}

static int is_full(int code) { return code == ENOSPC || code == EDQUOT || code == EFBIG; }

/* Sees to it that the reserve lies behind `end`. */
static void extend_reserve(leat_out_file *f, int64_t end) {
    if (!f->can_reserve || f->full || f->reserve == 0 || end + f->reserve <= f->reserved_to) return;
    int64_t to = end + f->reserve + RESERVE_STEP;
    int failed = fallocate(f->target.fd, FALLOC_FL_KEEP_SIZE, end, to - end) != 0;
    if (failed && is_full(errno)) { /* near the end of the disk: no more than is needed */
        to = end + f->reserve;
        failed = fallocate(f->target.fd, FALLOC_FL_KEEP_SIZE, end, to - end) != 0;
    }
    if (!failed) f->reserved_to = to;
    else if (is_full(errno)) f->full = 1;
    else f->can_reserve = 0;
}

void leat__out_reserve(leat_out_file *f, int64_t bytes) {
    if (f->is_pipe || bytes <= f->reserve) return;
    f->reserve = bytes;
    extend_reserve(f, f->size);
}

int leat__out_is_full(const leat_out_file *f) { return f->full; }
int64_t leat__out_position(const leat_out_file *f) { return f->position; }

int leat__out_write(leat_out_file *f, const void *data, size_t bytes, leat_error *error) {
    const uint8_t *at = data;
    extend_reserve(f, f->position + (int64_t)bytes);
    while (bytes > 0) {
        ssize_t n = leat__write_quietly(f->target.fd, at, bytes < (size_t)1 << 30 ? bytes : (size_t)1 << 30);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            if (is_full(errno)) f->full = 1;
            return fail_errno(f, errno, error);
        }
        at += n;
        bytes -= (size_t)n;
        f->position += n;
        if (f->position > f->size) f->size = f->position;
    }
    return LEAT_OK;
}

int leat__out_seek(leat_out_file *f, int64_t position, leat_error *error) {
    if (f->is_pipe || position < 0) return leat__fail(error, LEAT_EIO, "%s: cannot seek", f->path);
    if (lseek(f->target.fd, position, SEEK_SET) < 0) return fail_errno(f, errno, error);
    f->position = position;
    return LEAT_OK;
}

void leat__out_cut(leat_out_file *f, int64_t bytes) {
    if (f->is_pipe || ftruncate(f->target.fd, bytes) != 0 || lseek(f->target.fd, bytes, SEEK_SET) < 0) return;
    f->position = f->size = bytes;
}

int leat__out_close(leat_out_file *f, int keep, leat_error *error) {
    int code = 0;
    if (!f) return LEAT_OK;
    if (f->target.temporary && keep && f->reserved_to > f->size && ftruncate(f->target.fd, f->size) != 0) code = errno; /* gives the reserve back */
    int closed = leat__target_close(&f->target, keep);
    if (!code) code = closed;
    int status = code ? fail_errno(f, code, error) : LEAT_OK;
    free_file(f);
    return status;
}

/* stream.c - see stream.h.
 *
 * Large reads go past the small buffer, straight to where they are wanted.  A pipe's capacity is raised to a megabyte, so that a frame of
 * raw video takes a few reads and not fifty.  Only pipes and devices are polled: a regular file is always ready.
 */
#include "media/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "media/source.h"

#define PIPE_BYTES (1 << 20)
#define READ_MOST ((size_t)1 << 30)

struct leat_stream {
    leat_source *base;
    int          fd;
    int          seekable;
    int64_t      size;      /* -1 unknown */
    int64_t      position;  /* of the next byte to be taken */
    size_t       at, end;   /* of what is in the buffer */
    uint8_t      buffer[LEAT_STREAM_PEEK];
    char         name[];
};

static int fail_errno(const leat_stream *s, leat_error *error) {
    return leat__fail_at(error, LEAT_EIO, (uint64_t)s->position, "%s: %s", s->name, strerror(errno));
}

int leat__stream_open(const char *path, leat_source *base, leat_stream **stream, leat_error *error) {
    int is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "standard input" : path;
    leat_stream *s = leat__calloc(1, sizeof *s + strlen(name) + 1, LEAT_MEMORY_IO);
    *stream = NULL;
    if (!s) return leat__fail(error, LEAT_ENOMEM, "%s: out of memory", name);
    strcpy(s->name, name);
    s->base = base;
    s->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (s->fd < 0 || fstat(s->fd, &st) != 0) {
        int status = fail_errno(s, error);
        leat__stream_close(s);
        return status;
    }
    s->seekable = S_ISREG(st.st_mode);
    s->size = s->seekable ? (int64_t)st.st_size : -1;
    if (s->seekable) s->position = lseek(s->fd, 0, SEEK_CUR); /* standard input may have been read from */
    if (S_ISFIFO(st.st_mode)) (void)fcntl(s->fd, F_SETPIPE_SZ, PIPE_BYTES);
    *stream = s;
    return LEAT_OK;
}

void leat__stream_close(leat_stream *stream) {
    if (!stream) return;
    if (stream->fd >= 0) close(stream->fd);
    leat__free(stream);
}

const char *leat__stream_name(const leat_stream *stream) { return stream->name; }
int leat__stream_seekable(const leat_stream *stream) { return stream->seekable; }
int64_t leat__stream_size(const leat_stream *stream) { return stream->size; }
int64_t leat__stream_position(const leat_stream *stream) { return stream->position; }

/* One read() that waits for data; *got 0 at the end. */
static int read_once(leat_stream *s, void *data, size_t bytes, size_t *got, leat_error *error) {
    *got = 0;
    for (;;) {
        if (!s->seekable && leat__source_wait(s->base, s->fd, INT64_MAX) < 0) return leat__fail(error, LEAT_ECANCELLED, "%s: cancelled", s->name);
        ssize_t n = read(s->fd, data, bytes < READ_MOST ? bytes : READ_MOST);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n < 0) return fail_errno(s, error);
        *got = (size_t)n;
        return LEAT_OK;
    }
}

int leat__stream_peek(leat_stream *s, size_t wanted, const uint8_t **data, size_t *got, leat_error *error) {
    if (s->at > 0) {
        memmove(s->buffer, s->buffer + s->at, s->end - s->at);
        s->end -= s->at;
        s->at = 0;
    }
    while (s->end < wanted) {
        size_t n;
        int status = read_once(s, s->buffer + s->end, sizeof s->buffer - s->end, &n, error);
        if (status != LEAT_OK) return status;
        if (n == 0) break;
        s->end += n;
    }
    *data = s->buffer;
    *got = s->end < wanted ? s->end : wanted;
    return LEAT_OK;
}

int leat__stream_read_some(leat_stream *s, void *data, size_t bytes, size_t *got, leat_error *error) {
    size_t buffered = s->end - s->at;
    int status = LEAT_OK;
    if (buffered) {
        *got = bytes < buffered ? bytes : buffered;
        memcpy(data, s->buffer + s->at, *got);
        s->at += *got;
    } else {
        status = read_once(s, data, bytes, got, error);
    }
    s->position += (int64_t)*got;
    return status;
}

int leat__stream_read(leat_stream *s, void *data, size_t bytes, size_t *got, leat_error *error) {
    size_t n = 1;
    for (*got = 0; *got < bytes && n > 0; *got += n) {
        int status = leat__stream_read_some(s, (uint8_t *)data + *got, bytes - *got, &n, error);
        if (status != LEAT_OK) return status;
    }
    return LEAT_OK;
}

int leat__stream_seek(leat_stream *s, int64_t position, leat_error *error) {
    s->at = s->end = 0;
    if (lseek(s->fd, position, SEEK_SET) < 0) return fail_errno(s, error);
    s->position = position;
    return LEAT_OK;
}

int leat__stream_skip(leat_stream *s, int64_t bytes, int64_t *got, leat_error *error) {
    if (s->seekable) {
        int64_t left = s->size > s->position ? s->size - s->position : 0;
        *got = bytes < left ? bytes : left;
        return leat__stream_seek(s, s->position + *got, error);
    }
    uint8_t dropped[16384];
    size_t  n = 1;
    for (*got = 0; *got < bytes && n > 0; *got += (int64_t)n) {
        int64_t left = bytes - *got;
        int status = leat__stream_read_some(s, dropped, left < (int64_t)sizeof dropped ? (size_t)left : sizeof dropped, &n, error);
        if (status != LEAT_OK) return status;
    }
    return LEAT_OK;
}

/* stream.h - bytes from a file or pipe that can be looked at before they are taken, and waited for with a way out. */
#ifndef LEAT_MEDIA_STREAM_H
#define LEAT_MEDIA_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#define LEAT_STREAM_PEEK 4096

typedef struct leat_stream leat_stream;
struct leat_source;

/* Opens `path`, "-" being standard input.  `base` (borrowed for the stream's life) is asked while waiting; LEAT_ECANCELLED then.
 * *stream: the caller takes it.  LEAT_EIO, LEAT_ENOMEM. */
int leat__stream_open(const char *path, struct leat_source *base, leat_stream **stream, leat_error *error);
void leat__stream_close(leat_stream *stream); /* NULL allowed */

const char *leat__stream_name(const leat_stream *stream);
int leat__stream_seekable(const leat_stream *stream);       /* a regular file */
int64_t leat__stream_size(const leat_stream *stream);       /* bytes of a regular file, else -1 */
int64_t leat__stream_position(const leat_stream *stream);   /* bytes taken so far */

/* Shows the next bytes without taking them: as many as there are up to `wanted` (<= LEAT_STREAM_PEEK); *got < wanted only at the end. */
int leat__stream_peek(leat_stream *stream, size_t wanted, const uint8_t **data, size_t *got, leat_error *error);
/* Takes `bytes` into `data`, fewer only at the end. */
int leat__stream_read(leat_stream *stream, void *data, size_t bytes, size_t *got, leat_error *error);
/* Takes what a single read gives, 1..bytes; *got 0 at the end. */
int leat__stream_read_some(leat_stream *stream, void *data, size_t bytes, size_t *got, leat_error *error);
/* Takes `bytes` and drops them; *got as above. */
int leat__stream_skip(leat_stream *stream, int64_t bytes, int64_t *got, leat_error *error);
/* To an absolute position of a seekable stream. */
int leat__stream_seek(leat_stream *stream, int64_t position, leat_error *error);

#endif

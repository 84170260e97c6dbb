/* image_reload.c - loading one picture after the other without allocating for each. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "media/image_codec.h"

#define MAX_FILE_BYTES ((size_t)1 << 30)

/* Reads fd to its end into buffers->file; *bytes tells how much. */
static int read_file(int fd, leat_image_buffers *buffers, size_t *bytes, leat_error *error) {
    struct stat st;
    size_t want = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : 65536;
    for (*bytes = 0;;) {
        if (want > MAX_FILE_BYTES) return leat__fail(error, LEAT_ELIMIT, "larger than %zu bytes", MAX_FILE_BYTES);
        if (want > buffers->file_capacity) {
            uint8_t *grown = leat__realloc(buffers->file, want, LEAT_MEMORY_IO);
            if (!grown) return leat__fail(error, LEAT_ENOMEM, "no memory for %zu bytes", want);
            buffers->file = grown;
            buffers->file_capacity = want;
        }
        ssize_t n = read(fd, buffers->file + *bytes, buffers->file_capacity - *bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return leat__fail(error, LEAT_EIO, "%s", strerror(errno));
        if (n == 0) return LEAT_OK;
        *bytes += (size_t)n;
        if (*bytes == buffers->file_capacity) want = *bytes * 2;
    }
}

int leat__image_load_into(const char *path, const leat_image_options *options, leat_image_buffers *buffers, leat_image *image, leat_error *error) {
    size_t bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return leat__fail(error, LEAT_EIO, "%s: %s", path, strerror(errno));
    int status = read_file(fd, buffers, &bytes, error);
    close(fd);
    *image = (leat_image){.data = buffers->pixels};
    if (status == LEAT_OK) status = leat__image_decode(buffers->file, bytes, options, image, error);
    buffers->pixels = image->data;
    if (status == LEAT_OK) return LEAT_OK;
    memset(image, 0, sizeof *image);
    return leat__fail_prefix(error, status, "%s", path);
}

void leat__image_buffers_free(leat_image_buffers *buffers) {
    leat__free(buffers->file);
    leat__free(buffers->pixels);
    memset(buffers, 0, sizeof *buffers);
}

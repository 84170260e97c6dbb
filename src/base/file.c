/* file.c - read-only mappings, confined look-up of external data, atomic writes.
 *
 * A mapping is laid over an anonymous reservation that is one page longer, so that LEAT_TAIL_BYTES past the end of the last tensor
 * of a file are readable as of every other buffer.  A file that somebody truncates while it is mapped raises SIGBUS on access, as
 * with any mapping; replace model files by renaming, as leat__write_file() does.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/target.h"

#define HUGE_PAGE ((size_t)2 << 20)

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

/* Bytes of the reservation for a file of `bytes`: whole pages and one more. */
static size_t reserved_bytes(size_t bytes) {
    size_t page = page_bytes();
    return (bytes + page - 1) / page * page + page;
}

/* Address space of `bytes`, at a multiple of HUGE_PAGE where it is that long: only there can huge pages of the file be mapped as such. */
static void *reserve(size_t bytes) {
    size_t slack = bytes < HUGE_PAGE ? 0 : HUGE_PAGE;
    char *space = mmap(NULL, bytes + slack, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slack == 0 || space == MAP_FAILED) return space;
    size_t ahead = (size_t)(-(uintptr_t)space & (HUGE_PAGE - 1));
    if (ahead > 0) munmap(space, ahead);
    munmap(space + ahead + bytes, slack - ahead);
    return space + ahead;
}

/* The bytes of the open regular file. */
static int size_of(int fd, const char *path, size_t *bytes, leat_error *error) {
    struct stat st;
    if (fstat(fd, &st) != 0) return leat__fail(error, LEAT_EIO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) return leat__fail(error, LEAT_EIO, "%s: not a regular file", path);
    if (st.st_size < 0 || (uint64_t)st.st_size > PTRDIFF_MAX / 2) return leat__fail(error, LEAT_ELIMIT, "%s: too large to map", path);
    *bytes = (size_t)st.st_size;
    return LEAT_OK;
}

/* Lays the file's pages over the reservation. */
static int lay(int fd, const char *path, void *space, size_t bytes, leat_error *error) {
    if (mmap(space, bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAP_FAILED) return LEAT_OK;
    return leat__fail(error, LEAT_EIO, "%s: cannot map: %s", path, strerror(errno));
}

/* Reads the file into the reservation, which becomes huge pages where the system has them. */
static int copy(int fd, const char *path, void *space, size_t bytes, leat_error *error) {
    if (mprotect(space, bytes, PROT_READ | PROT_WRITE) != 0) return leat__fail(error, LEAT_ENOMEM, "%s: no memory for %zu bytes", path, bytes);
    (void)madvise(space, bytes, MADV_HUGEPAGE);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    for (size_t at = 0; at < bytes;) {
        ssize_t n = read(fd, (char *)space + at, bytes - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return leat__fail(error, LEAT_EIO, "%s: %s", path, strerror(errno));
        if (n == 0) return leat__fail(error, LEAT_EIO, "%s: became shorter while it was read", path);
        at += (size_t)n;
    }
    (void)mprotect(space, bytes, PROT_READ);
    return LEAT_OK;
}

typedef int (*fill_space)(int fd, const char *path, void *space, size_t bytes, leat_error *error);

/* Maps the open file, or what else `fill` makes of it; takes fd. */
static int map_fd(int fd, const char *path, fill_space fill, leat_mapping *mapping, leat_error *error) {
    size_t bytes = 0;
    int status = size_of(fd, path, &bytes, error);
    *mapping = (leat_mapping){NULL, 0};
    if (status == LEAT_OK && bytes > 0) {
        void *space = reserve(reserved_bytes(bytes));
        if (space == MAP_FAILED) {
            status = leat__fail(error, LEAT_ENOMEM, "%s: no address space for %zu bytes", path, bytes);
        } else if ((status = fill(fd, path, space, bytes, error)) != LEAT_OK) {
            munmap(space, reserved_bytes(bytes));
        } else {
            *mapping = (leat_mapping){space, bytes};
        }
    }
    close(fd);
    return status;
}

static int map_path(const char *path, fill_space fill, leat_mapping *mapping, leat_error *error) {
    *mapping = (leat_mapping){NULL, 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block; it is refused below */
    if (fd < 0) return leat__fail(error, LEAT_EIO, "%s: %s", path, strerror(errno));
    return map_fd(fd, path, fill, mapping, error);
}

int leat__map_file(const char *path, leat_mapping *mapping, leat_error *error) { return map_path(path, lay, mapping, error); }
int leat__map_copy(const char *path, leat_mapping *mapping, leat_error *error) { return map_path(path, copy, mapping, error); }

void leat__unmap(leat_mapping *mapping) {
    if (mapping->data) munmap((void *)(uintptr_t)mapping->data, reserved_bytes(mapping->bytes));
    *mapping = (leat_mapping){NULL, 0};
}

void leat__map_in_huge_pages(const leat_mapping *mapping) {
    if (mapping->bytes >= HUGE_PAGE) (void)madvise((void *)(uintptr_t)mapping->data, mapping->bytes, MADV_HUGEPAGE);
}

void leat__map_release(const void *data, size_t bytes) {
    uintptr_t page = page_bytes();
    uintptr_t from = ((uintptr_t)data + page - 1) & ~(page - 1), to = ((uintptr_t)data + bytes) & ~(page - 1);
    if (to > from) (void)madvise((void *)from, to - from, MADV_DONTNEED);
}

/* ---- confined look-up ------------------------------------------------------------------------------------------------- */

static int refuse(leat_error *error, const char *path, const char *why) {
    return leat__fail(error, LEAT_EIO, "external data '%.300s' refused: %s", path, why);
}

/* Opens `path` under the open folder `dir` (taken) one component at a time, following no link; -1 and the error on failure. */
static int open_beneath(int dir, const char *path, leat_error *error) {
    char name[NAME_MAX + 1];
    for (const char *at = path;;) {
        while (*at == '/') at++;
        size_t length = strcspn(at, "/");
        const char *next = at + length + strspn(at + length, "/");
        int last = *next == 0;
        if (length == 0 || length > NAME_MAX) break;
        memcpy(name, at, length);
        name[length] = 0;
        int fd = openat(dir, name, last ? O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int saved = errno;
        close(dir);
        if (fd < 0) {
            int link = saved == ELOOP || (saved == ENOTDIR && !last);
            leat__fail(error, LEAT_EIO, "external data '%.300s': %s", path, link ? "'..', links and non-folders on the way are refused" : strerror(saved));
            return -1;
        }
        if (last) return fd;
        dir = fd;
        at = next;
    }
    close(dir);
    refuse(error, path, "the path is empty or a name in it is too long");
    return -1;
}

/* True if a component of `path` is "..". */
static int has_parent_step(const char *path) {
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, "/");
        if (length == 2 && at[0] == '.' && at[1] == '.') return 1;
        at += length;
        at += strspn(at, "/");
    }
    return 0;
}

/* Resolves links: base and path become real, path must stay under base.  real_base, inner [PATH_MAX]. */
static int resolve_links(const char *base, const char *path, char *real_base, char *inner, leat_error *error) {
    char joined[PATH_MAX], real[PATH_MAX];
    if (!realpath(base, real_base)) return leat__fail(error, LEAT_EIO, "%s: %s", base, strerror(errno));
    int length = snprintf(joined, sizeof joined, "%s/%s", base, path);
    if (length < 0 || (size_t)length >= sizeof joined) return refuse(error, path, "the path is too long");
    if (!realpath(joined, real)) return leat__fail(error, LEAT_EIO, "external data '%.300s': %s", path, strerror(errno));
    size_t n = strlen(real_base);
    int root = n == 1; /* "/" is above everything */
    if (!root && (strncmp(real, real_base, n) != 0 || real[n] != '/')) return refuse(error, path, "it leaves the model's folder");
    snprintf(inner, PATH_MAX, "%s", real + n + !root);
    return LEAT_OK;
}

int leat__map_beneath(const char *base, const char *path, int allow_links, leat_mapping *mapping, leat_error *error) {
    char real_base[PATH_MAX], inner[PATH_MAX];
    struct stat st;
    *mapping = (leat_mapping){NULL, 0};
    if (path[0] == 0) return refuse(error, path, "the path is empty");
    if (path[0] == '/') return refuse(error, path, "the path is absolute; it must be relative to the model's folder");
    if (has_parent_step(path)) return refuse(error, path, "'..' in the path; the file must be under the model's folder");
    if (base[0] == 0) base = ".";
    const char *relative = path;
    if (allow_links) {
        int status = resolve_links(base, path, real_base, inner, error);
        if (status != LEAT_OK) return status;
        base = real_base;
        relative = inner;
    }
    int dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return leat__fail(error, LEAT_EIO, "%s: %s", base, strerror(errno));
    int fd = open_beneath(dir, relative, error);
    if (fd < 0) return LEAT_EIO;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
        close(fd);
        return refuse(error, path, "it is not a regular file, or has more than one hard link; make it a plain copy");
    }
    return map_fd(fd, path, lay, mapping, error);
}

/* ---- whole files ------------------------------------------------------------------------------------------------------ */

static int write_all(int fd, const char *data, size_t bytes) {
    while (bytes > 0) {
        ssize_t n = leat__write_quietly(fd, data, bytes < (size_t)1 << 30 ? bytes : (size_t)1 << 30);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        data += n;
        bytes -= (size_t)n;
    }
    return 0;
}

static int write_each(int fd, const leat_file_part *parts, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (write_all(fd, parts[i].data, parts[i].bytes) != 0) return -1;
    return 0;
}

int leat__write_file(const char *path, const void *data, size_t bytes, leat_error *error) {
    leat_file_part whole = {data, bytes};
    return leat__write_parts(path, &whole, 1, error);
}

int leat__write_parts(const char *path, const leat_file_part *parts, size_t count, leat_error *error) {
    leat_target t;
    int status = leat__target_open(path, &t, error);
    if (status) return status;
    int code = write_each(t.fd, parts, count) != 0 ? errno : 0, closed = leat__target_close(&t, code == 0);
    if (!code) code = closed;
    return code ? leat__fail(error, LEAT_EIO, "%s: %s", path, strerror(code)) : LEAT_OK;
}

/* Reads to the end or to limit + 1 bytes into *data, which grows. */
static int read_all(int fd, const char *path, size_t limit, char **data, size_t *bytes, leat_error *error) {
    size_t capacity = (size_t)64 << 10, used = 0;
    for (;;) {
        if (capacity > limit + 1) capacity = limit + 1;
        char *grown = leat__realloc(*data, capacity + 1, LEAT_MEMORY_IO);
        if (!grown) return leat__fail(error, LEAT_ENOMEM, "%s: out of memory", path);
        *data = grown;
        while (used < capacity) {
            ssize_t n = read(fd, grown + used, capacity - used);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return leat__fail(error, LEAT_EIO, "%s: %s", path, strerror(errno));
            if (n == 0) {
                grown[used] = 0;
                *bytes = used;
                return LEAT_OK;
            }
            used += (size_t)n;
        }
        if (used > limit) return leat__fail(error, LEAT_ELIMIT, "%s: larger than %zu bytes", path, limit);
        if (leat__mul_overflows(capacity, 2, &capacity)) capacity = limit + 1;
    }
}

int leat__read_file(const char *path, size_t limit, char **data, size_t *bytes, leat_error *error) {
    *data = NULL;
    *bytes = 0;
    if (limit > PTRDIFF_MAX / 2) limit = PTRDIFF_MAX / 2;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return leat__fail(error, LEAT_EIO, "%s: %s", path, strerror(errno));
    int status = read_all(fd, path, limit, data, bytes, error);
    close(fd);
    if (status != LEAT_OK) {
        leat__free(*data);
        *data = NULL;
        *bytes = 0;
    }
    return status;
}

/* test_file.c - mappings of files: content, alignment, the readable tail, what is left behind, for all lengths about pages and huge pages; and where files are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/target.h"
#include "leat/common.h"

#define HUGE ((size_t)2 << 20)

static char path[] = "/tmp/leat_file_XXXXXX";

static uint8_t byte_at(size_t i) { return (uint8_t)(i * 2654435761u >> 13); }

static void write_bytes(size_t bytes) {
    uint8_t *data = malloc(bytes + 1);
    int      fd = mkstemp(strcpy(path, "/tmp/leat_file_XXXXXX"));
    assert_true(data && fd >= 0);
    for (size_t i = 0; i < bytes; i++) data[i] = byte_at(i);
    for (size_t at = 0; at < bytes;) {
        ssize_t n = write(fd, data + at, bytes - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
    close(fd);
    free(data);
}

static int is_mapped(const void *at) {
    unsigned char resident;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return mincore((void *)((uintptr_t)at & ~(page - 1)), page, &resident) == 0 || errno != ENOMEM;
}

/* Lines of the process's table of mappings: one that is left behind shows. */
static int count_mappings(void) {
    FILE *f = fopen("/proc/self/maps", "r");
    int   lines = 0, c;
    assert_non_null(f);
    while ((c = fgetc(f)) != EOF) lines += c == '\n';
    fclose(f);
    return lines;
}

typedef int (*map_fn)(const char *path, leat_mapping *mapping, leat_error *error);

static void check_content(const leat_mapping *m) {
    for (size_t i = 0; i < m->bytes; i++)
        if (m->data[i] != byte_at(i)) fail_msg("byte %zu of %zu", i, m->bytes);
}

/* Two at once, so that one that reaches into the other's space shows. */
static void check_length(map_fn map, size_t bytes) {
    leat_error   error = {0};
    leat_mapping m[2];
    write_bytes(bytes);
    int before = count_mappings();
    for (int i = 0; i < 2; i++) {
        if (map(path, &m[i], &error)) fail_msg("%zu bytes: %s", bytes, error.message);
        assert_int_equal(m[i].bytes, bytes);
        assert_int_equal((uintptr_t)m[i].data % (bytes >= HUGE ? HUGE : LEAT_ALIGN), 0);
        leat__map_in_huge_pages(&m[i]);
    }
    for (int i = 0; i < 2; i++) {
        const uint8_t *data = m[i].data;
        check_content(&m[i]);
        for (size_t k = 0; k < LEAT_TAIL_BYTES; k++) assert_int_equal(data[bytes + k], 0); /* a fault unless they are there */
        leat__unmap(&m[i]);
        assert_null(m[i].data);
        assert_false(is_mapped(data));
        assert_false(is_mapped(data + bytes + LEAT_TAIL_BYTES - 1));
    }
    assert_int_equal(count_mappings(), before);
    assert_int_equal(unlink(path), 0);
}

static const size_t lengths[] = {1, 4095, 4096, 4097, 8192, HUGE - 4097, HUGE - 4096, HUGE - 1, HUGE, HUGE + 1, HUGE + 4096, 2 * HUGE - 63, 2 * HUGE, 3 * HUGE + 12345};

static void test_map(void **state) {
    (void)state;
    count_mappings(); /* stdio takes its memory */
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) check_length(leat__map_file, lengths[i]);
}

static void test_copy(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) check_length(leat__map_copy, lengths[i]);
}

/* A copy is not touched by what happens to the file. */
static void test_copy_is_its_own(void **state) {
    leat_mapping m;
    (void)state;
    write_bytes(HUGE + 5);
    assert_int_equal(leat__map_copy(path, &m, NULL), LEAT_OK);
    assert_int_equal(truncate(path, 0), 0);
    check_content(&m);
    leat__unmap(&m);
    assert_int_equal(unlink(path), 0);
}

/* Pages that were given back are read again. */
static void test_release(void **state) {
    leat_mapping m;
    (void)state;
    write_bytes(HUGE + 5);
    assert_int_equal(leat__map_file(path, &m, NULL), LEAT_OK);
    check_content(&m);
    leat__map_release(m.data + 5, m.bytes - 5);
    leat__map_release(m.data + 5, 100); /* no whole page */
    check_content(&m);
    leat__unmap(&m);
    leat__unmap(&m); /* again: nothing */
    assert_int_equal(unlink(path), 0);
}

static void test_refused(void **state) {
    leat_mapping m = {(const uint8_t *)"x", 1};
    leat_error   error = {0};
    char         pipe_path[] = "/tmp/leat_file_pipe_XXXXXX";
    (void)state;
    for (int i = 0; i < 2; i++) {
        map_fn map = i ? leat__map_copy : leat__map_file;
        m = (leat_mapping){(const uint8_t *)"x", 1};
        assert_int_equal(map("/nowhere/at/all", &m, &error), LEAT_EIO);
        assert_string_equal(error.message, "/nowhere/at/all: No such file or directory");
        assert_null(m.data);
        assert_int_equal(map("/tmp", &m, &error), LEAT_EIO);
        assert_string_equal(error.message, "/tmp: not a regular file");
        close(mkstemp(strcpy(pipe_path, "/tmp/leat_file_pipe_XXXXXX")));
        assert_int_equal(map(pipe_path, &m, &error), LEAT_OK); /* empty: nothing to map */
        assert_null(m.data);
        leat__map_in_huge_pages(&m);
        leat__unmap(&m);
        assert_true(unlink(pipe_path) == 0 && mkfifo(pipe_path, 0600) == 0);
        assert_int_equal(map(pipe_path, &m, &error), LEAT_EIO); /* and does not wait for a writer */
        unlink(pipe_path);
    }
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------ */

static char folder[64];

static const char *in_folder(char out[128], const char *name) {
    snprintf(out, 128, "%s/%s", folder, name);
    return out;
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(strcpy(folder, "/tmp/leat_file_XXXXXX")) ? 0 : -1;
}

static int count_entries(void) {
    DIR *dir = opendir(folder);
    int  n = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static int remove_folder(void **state) {
    char name[128];
    (void)state;
    for (const char *const *n = (const char *const[]){"file", "link", "hanging", "pipe", "null", NULL}; *n; n++) remove(in_folder(name, *n));
    return rmdir(folder); /* fails when something was left behind */
}

static void assert_content(const char *name, const char *text) {
    char  file[128], *data;
    size_t bytes;
    assert_int_equal(leat__read_file(in_folder(file, name), 1000, &data, &bytes, NULL), LEAT_OK);
    assert_string_equal(data, text);
    leat__free(data);
}

static void test_links_are_followed(void **state) {
    char file[128], link[128], hanging[128];
    struct stat st;
    (void)state;
    assert_int_equal(leat__write_file(in_folder(file, "file"), "one", 3, NULL), LEAT_OK);
    assert_int_equal(symlink("file", in_folder(link, "link")), 0);
    assert_int_equal(leat__write_file(link, "two", 3, NULL), LEAT_OK);
    assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    assert_content("file", "two");
    assert_int_equal(symlink("nowhere", in_folder(hanging, "hanging")), 0);
    assert_int_equal(leat__write_file(hanging, "three", 5, NULL), LEAT_OK); /* takes the link's place */
    assert_content("hanging", "three");
}

static void test_devices_stay(void **state) {
    char null[128], fifo[128], got[8] = "";
    leat_error error = {0};
    struct stat st;
    (void)state;
    assert_int_equal(symlink("/dev/null", in_folder(null, "null")), 0);
    assert_int_equal(leat__write_file(null, "gone", 4, NULL), LEAT_OK);
    assert_true(stat(null, &st) == 0 && S_ISCHR(st.st_mode));
    assert_int_equal(mkfifo(in_folder(fifo, "pipe"), 0600), 0);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK);
    assert_int_equal(leat__write_file(fifo, "through", 7, &error), LEAT_OK);
    assert_int_equal(read(reader, got, 7), 7);
    assert_string_equal(got, "through");
    close(reader);
    assert_true(stat(fifo, &st) == 0 && S_ISFIFO(st.st_mode));
    assert_int_equal(leat__write_file(folder, "x", 1, &error), LEAT_EIO);
    assert_non_null(strstr(error.message, "Is a directory"));
}

static void test_signals_do_not_kill(void **state) {
    int ends[2];
    sigset_t pending;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(leat__write_quietly(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
    assert_true(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
}

static void test_what_was_there_stays(void **state) {
    char file[128];
    leat_error error = {0};
    struct rlimit old, few;
    int entries = count_entries();
    (void)state;
    assert_int_equal(leat__write_file(in_folder(file, "file"), "before", 6, NULL), LEAT_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    few = (struct rlimit){1000, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    int status = leat__write_file(file, folder, sizeof folder, NULL);
    char *large = calloc(1, 5000);
    int too_large = leat__write_file(file, large, 5000, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    free(large);
    assert_int_equal(status, LEAT_OK);
    assert_int_equal(too_large, LEAT_EIO);
    assert_non_null(strstr(error.message, "File too large"));
    assert_content("file", folder);
    assert_int_equal(count_entries(), entries);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_map), cmocka_unit_test(test_copy), cmocka_unit_test(test_copy_is_its_own), cmocka_unit_test(test_release),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_links_are_followed), cmocka_unit_test(test_devices_stay), cmocka_unit_test(test_signals_do_not_kill),
                                       cmocka_unit_test(test_what_was_there_stays)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* test_file.c - mappings of files: content, alignment, the readable tail, what is left behind; for files of all lengths about pages and huge pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_map), cmocka_unit_test(test_copy), cmocka_unit_test(test_copy_is_its_own), cmocka_unit_test(test_release),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

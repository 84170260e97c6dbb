/* test_onnx_external.c - data beside the model: found, shared, checked, and confined to the model's folder. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "leat/model.h"
#include "onnx_case.h"

static char root[64]; /* root/model: the model's folder; root/secret.bin: what it must not reach */

static void path_in(char *path, size_t n, const char *name) { assert_true((size_t)snprintf(path, n, "%s/%s", root, name) < n); }

static void write_floats(const char *name, int n) {
    char path[256];
    float values[256];
    for (int i = 0; i < n; i++) values[i] = (float)i;
    path_in(path, sizeof path, name);
    assert_int_equal(leat__write_file(path, values, (size_t)n * 4, NULL), LEAT_OK);
}

static void link_from(const char *target, const char *name) {
    char path[256];
    path_in(path, sizeof path, name);
    assert_int_equal(symlink(target, path), 0);
}

static int make_folders(void **state) {
    (void)state;
    char path[256], other[256];
    strcpy(root, "/tmp/leat-external-XXXXXX");
    if (!mkdtemp(root)) return -1;
    path_in(path, sizeof path, "model");
    mkdir(path, 0700);
    path_in(path, sizeof path, "model/sub");
    mkdir(path, 0700);
    path_in(path, sizeof path, "model-other");
    mkdir(path, 0700);
    write_floats("secret.bin", 16);
    write_floats("model-other/data.bin", 16);
    write_floats("model/data.bin", 16);
    write_floats("model/sub/data.bin", 16);
    write_floats("model/linked.bin", 16);
    path_in(path, sizeof path, "model/linked.bin");
    path_in(other, sizeof other, "model/hard.bin");
    if (link(path, other) != 0) return -1;
    link_from("data.bin", "model/inside.bin");
    link_from("../secret.bin", "model/outside.bin");
    link_from("../model-other/data.bin", "model/neighbour.bin");
    link_from("sub", "model/subl");
    link_from("..", "model/up");
    path_in(path, sizeof path, "model/pipe");
    return mkfifo(path, 0600);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int remove_folders(void **state) {
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void add_entry(pb *tensor, const char *key, const char *value) {
    pb entry = {0};
    if (!value) return;
    pb_text(&entry, 1, key);
    pb_text(&entry, 2, value);
    pb_message(tensor, 13, &entry);
}

/* Imports Add(x, w0..w{n-1}) with w float[4] at location, offset, length (NULL = absent). */
static void open_at(onnx_case *c, const char *location, const char *offset, const char *length, uint32_t flags, int from_memory) {
    char folder[256];
    const int64_t dims[1] = {4};
    pb graph = onnx_graph((const char *const[]){"Add x,w0 -> a", "Add a,w1 -> y", NULL});
    for (int i = 0; i < 2; i++) {
        pb w = onnx_tensor(i ? "w1" : "w0", 1, 1, dims, NULL, 0);
        add_entry(&w, "location", location);
        add_entry(&w, "offset", offset);
        add_entry(&w, "length", length);
        add_entry(&w, "checksum", "no such thing");
        pb_int(&w, 14, 1);
        pb_message(&graph, 5, &w);
    }
    pb model = onnx_model(&graph);
    memset(c, 0, sizeof *c);
    leat__arena_init(&c->arena, LEAT_MEMORY_GRAPH);
    c->data = calloc(1, model.n + LEAT_TAIL_BYTES);
    memcpy(c->data, model.data, model.n);
    path_in(folder, sizeof folder, "model");
    c->status = leat__onnx_import(c->data, model.n, from_memory ? NULL : folder, flags, 1 << 20, &c->arena, &c->model, &c->error);
    pb_free(&model);
}

static void accept(const char *location, const char *offset, const char *length, uint32_t flags, float first) {
    onnx_case c;
    open_at(&c, location, offset, length, flags, 0);
    if (c.status != LEAT_OK) fail_msg("%s: %s", location, c.error.message);
    assert_int_equal(c.model.n_maps, 1); /* one mapping for both tensors */
    const float *data = leat__graph_find(c.model.graph, "w0")->constant->data;
    for (int i = 0; i < 4; i++) assert_true(data[i] == first + (float)i);
    case_close(&c);
}

static void refuse(const char *location, const char *offset, const char *length, uint32_t flags, const char *words) {
    onnx_case c;
    open_at(&c, location, offset, length, flags, 0);
    if (c.status == LEAT_OK || !strstr(c.error.message, words)) fail_msg("%s: status %d, %s", location, c.status, c.error.message);
    assert_non_null(strstr(c.error.message, "w0"));
    case_close(&c);
}

static void data_is_found(void **state) {
    (void)state;
    accept("data.bin", NULL, NULL, 0, 0);
    accept("data.bin", "16", "16", 0, 4);
    accept("./sub//data.bin", "48", NULL, 0, 12);
}

static void ranges_outside_of_the_file_are_refused(void **state) {
    (void)state;
    refuse("data.bin", "52", NULL, 0, "are outside of");
    refuse("data.bin", "64", NULL, 0, "are outside of");
    refuse("data.bin", "18446744073709551600", NULL, 0, "are outside of"); /* offset + 16 wraps to 0 */
    refuse("data.bin", "18446744073709551616", NULL, 0, "is not a number");
    refuse("data.bin", "-16", NULL, 0, "is not a number");
    refuse("data.bin", "", NULL, 0, "is not a number");
    refuse("data.bin", "0", "12", 0, "length 12, but the shape needs 16");
    refuse("data.bin", "0", "1e3", 0, "is not a number");
    refuse(NULL, NULL, NULL, 0, "without a location");
}

static void nothing_outside_of_the_folder_is_read(void **state) {
    (void)state;
    char absolute[256];
    path_in(absolute, sizeof absolute, "model/data.bin");
    refuse("../secret.bin", NULL, NULL, 0, "'..'");
    refuse("sub/../../secret.bin", NULL, NULL, 0, "'..'");
    refuse("..", NULL, NULL, 0, "'..'");
    refuse(absolute, NULL, NULL, 0, "absolute");
    refuse("", NULL, NULL, 0, "empty");
    refuse("missing.bin", NULL, NULL, 0, "No such file");
    refuse("sub", NULL, NULL, 0, "not a regular file");
    refuse("pipe", NULL, NULL, 0, "not a regular file");
    refuse("hard.bin", NULL, NULL, 0, "hard link");
    const char *const links[] = {"inside.bin", "outside.bin", "subl/data.bin", "up/secret.bin", "neighbour.bin"};
    for (int i = 0; i < 5; i++) refuse(links[i], NULL, NULL, 0, "links");
}

static void links_inside_may_be_allowed(void **state) {
    (void)state;
    accept("inside.bin", NULL, NULL, LEAT_MODEL_ALLOW_LINKS, 0);
    accept("subl/data.bin", NULL, NULL, LEAT_MODEL_ALLOW_LINKS, 0);
    refuse("outside.bin", NULL, NULL, LEAT_MODEL_ALLOW_LINKS, "leaves the model's folder");
    refuse("up/secret.bin", NULL, NULL, LEAT_MODEL_ALLOW_LINKS, "leaves the model's folder");
    refuse("neighbour.bin", NULL, NULL, LEAT_MODEL_ALLOW_LINKS, "leaves the model's folder"); /* "model-other" begins with "model" */
    refuse("hard.bin", NULL, NULL, LEAT_MODEL_ALLOW_LINKS, "hard link");
    refuse("up/model/../secret.bin", NULL, NULL, LEAT_MODEL_ALLOW_LINKS, "'..'");
}

static void models_from_memory_have_no_files(void **state) {
    (void)state;
    onnx_case c;
    open_at(&c, "data.bin", NULL, NULL, 0, 1);
    assert_int_equal(c.status, LEAT_EUNSUPPORTED);
    assert_non_null(strstr(c.error.message, "from memory"));
    case_close(&c);
}

/* ---- file.c itself ---- */

static void files_are_written_whole_and_read_back(void **state) {
    (void)state;
    char path[256], *text;
    size_t n;
    leat_error error = {0};
    leat_mapping map;
    path_in(path, sizeof path, "note.txt");
    assert_int_equal(leat__write_file(path, "first", 5, &error), LEAT_OK);
    assert_int_equal(leat__write_file(path, "second", 6, &error), LEAT_OK);
    assert_int_equal(leat__read_file(path, 100, &text, &n, &error), LEAT_OK);
    assert_string_equal(text, "second");
    assert_int_equal(n, 6);
    leat__free(text);
    assert_int_equal(leat__read_file(path, 5, &text, &n, &error), LEAT_ELIMIT);
    assert_null(text);
    assert_int_equal(leat__map_file(path, &map, &error), LEAT_OK);
    assert_int_equal(map.bytes, 6);
    for (int i = 6; i < 6 + LEAT_TAIL_BYTES; i++) assert_int_equal(map.data[i], 0);
    leat__unmap(&map);
    assert_int_equal(leat__write_file("/nowhere/at/all", "x", 1, &error), LEAT_EIO);
    assert_int_equal(leat__map_file(root, &map, &error), LEAT_EIO);
    assert_non_null(strstr(error.message, "not a regular file"));
}

static void a_file_of_whole_pages_has_a_tail(void **state) {
    (void)state;
    char path[256], *pages = calloc(1, 8192);
    leat_mapping map;
    path_in(path, sizeof path, "pages.bin");
    assert_int_equal(leat__write_file(path, pages, 8192, NULL), LEAT_OK);
    assert_int_equal(leat__map_file(path, &map, NULL), LEAT_OK);
    for (int i = 0; i < LEAT_TAIL_BYTES; i++) assert_int_equal(map.data[8192 + i], 0);
    leat__unmap(&map);
    assert_int_equal(leat__write_file(path, pages, 0, NULL), LEAT_OK);
    assert_int_equal(leat__map_file(path, &map, NULL), LEAT_OK);
    assert_null(map.data);
    leat__unmap(&map);
    free(pages);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_is_found),
        cmocka_unit_test(ranges_outside_of_the_file_are_refused),
        cmocka_unit_test(nothing_outside_of_the_folder_is_read),
        cmocka_unit_test(links_inside_may_be_allowed),
        cmocka_unit_test(models_from_memory_have_no_files),
        cmocka_unit_test(files_are_written_whole_and_read_back),
        cmocka_unit_test(a_file_of_whole_pages_has_a_tail),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}

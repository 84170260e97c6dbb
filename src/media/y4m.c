/* y4m.c - see y4m.h. */
#include "media/y4m.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* A decimal of at most nine digits at [at, end); moves *at past it; -1 when there is none. */
static int64_t parse_number(const char **at, const char *end) {
    int64_t value = 0;
    int digits = 0;
    for (; *at < end && **at >= '0' && **at <= '9' && digits < 10; ++*at, digits++) value = value * 10 + (**at - '0');
    return digits >= 1 && digits <= 9 ? value : -1;
}

static int bad_field(const char *field, size_t n, leat_error *error) {
    return leat__fail(error, LEAT_EFORMAT, "Y4M header: '%.*s' is malformed", (int)(n < 60 ? n : 60), field);
}

static int parse_rate(const char *field, size_t n, leat_y4m_header *h, leat_error *error) {
    const char *at = field + 1, *end = field + n;
    int64_t num = parse_number(&at, end);
    if (num < 0 || at == end || *at++ != ':') return bad_field(field, n, error);
    int64_t den = parse_number(&at, end);
    if (den < 0 || at != end) return bad_field(field, n, error);
    h->fps = num && den ? (double)num / (double)den : 0;
    if (h->fps > 1e6 || h->fps < 1e-3) h->fps = 0;
    return LEAT_OK;
}

static int is_word(const char *field, size_t n, const char *word) { return n == strlen(word) && memcmp(field, word, n) == 0; }

static int parse_chroma(const char *field, size_t n, leat_y4m_header *h, leat_error *error) {
    static const char *const names_420[] = {"C420", "C420jpeg", "C420mpeg2", "C420paldv"};
    for (int i = 0; i < 4; i++)
        if (is_word(field, n, names_420[i])) return h->chroma = LEAT_Y4M_420, LEAT_OK;
    if (is_word(field, n, "C422")) return h->chroma = LEAT_Y4M_422, LEAT_OK;
    if (is_word(field, n, "C444")) return h->chroma = LEAT_Y4M_444, LEAT_OK;
    if (is_word(field, n, "Cmono")) return h->chroma = LEAT_Y4M_MONO, LEAT_OK;
    return leat__fail(error, LEAT_EUNSUPPORTED, "Y4M chroma '%.*s' is not supported; 420, 422, 444 and mono of 8 bits are (ffmpeg -pix_fmt yuv420p makes them)",
                      (int)(n - 1 < 40 ? n - 1 : 40), field + 1);
}

static int parse_field(const char *field, size_t n, leat_y4m_header *h, leat_error *error) {
    const char *at = field + 1, *end = field + n;
    switch (field[0]) {
    case 'W': h->width = parse_number(&at, end); return h->width > 0 && at == end ? LEAT_OK : bad_field(field, n, error);
    case 'H': h->height = parse_number(&at, end); return h->height > 0 && at == end ? LEAT_OK : bad_field(field, n, error);
    case 'F': return parse_rate(field, n, h, error);
    case 'C': return parse_chroma(field, n, h, error);
    }
    if (is_word(field, n, "XCOLORRANGE=FULL")) h->full_range = 1;
    if (is_word(field, n, "XCOLORRANGE=LIMITED")) h->full_range = 0;
    if (is_word(field, n, "XLEAT_MATRIX=BT601")) h->matrix = LEAT_MATRIX_BT601;
    if (is_word(field, n, "XLEAT_MATRIX=BT709")) h->matrix = LEAT_MATRIX_BT709;
    return LEAT_OK; /* interlacing, aspect and comments do not matter here */
}

int leat__y4m_parse(const char *line, size_t bytes, leat_y4m_header *header, leat_error *error) {
    *header = (leat_y4m_header){.matrix = -1, .full_range = -1};
    if (bytes < 9 || memcmp(line, "YUV4MPEG2", 9) != 0) return leat__fail(error, LEAT_EFORMAT, "no Y4M header");
    for (size_t at = 9; at < bytes;) {
        size_t n = 0;
        if (line[at] != ' ') return bad_field(line + at, bytes - at, error);
        while (at < bytes && line[at] == ' ') at++;
        while (at + n < bytes && line[at + n] != ' ') n++;
        int status = n ? parse_field(line + at, n, header, error) : LEAT_OK;
        if (status != LEAT_OK) return status;
        at += n;
    }
    if (!header->width || !header->height) return leat__fail(error, LEAT_EFORMAT, "Y4M header without width or height");
    if (header->full_range < 0) header->full_range = header->chroma == LEAT_Y4M_MONO; /* nobody limits grey */
    return LEAT_OK;
}

/* The rate as a fraction: n/1001 for the rates of television, else thousandths. */
static void rational(double fps, long *num, long *den) {
    double tv = fps * 1001.0 / 1000.0;
    *num = lrint(fps * 1000.0);
    *den = 1000;
    if (fabs(fps - rint(fps)) < 1e-6) *num = lrint(fps), *den = 1;
    else if (fabs(tv - rint(tv)) < 1e-3) *num = lrint(tv) * 1000, *den = 1001;
}

int leat__y4m_format(const leat_frame *frame, double fps, char *line, size_t size) {
    long num, den;
    rational(fps, &num, &den);
    return snprintf(line, size, "YUV4MPEG2 W%d H%d F%ld:%ld Ip A1:1 C420jpeg XCOLORRANGE=%s XLEAT_MATRIX=%s\n", frame->width, frame->height, num, den,
                    frame->full_range ? "FULL" : "LIMITED", frame->matrix == LEAT_MATRIX_BT709 ? "BT709" : "BT601");
}

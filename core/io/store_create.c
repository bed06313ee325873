#include <errno.h>
#include <fcntl.h>
#include <hdf5_hl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/io/h5file.h"
#include "core/io/store_file.h"

enum {
    SLOT_TIME = 24,
    SLOT_LONG = 4096,
    SLOT_SHORT = 256,
    PAD_STEP = 72,
    PAD_STEPS = 16,
    FILLERS = 8,
    PAD_TRIES = 5 * PAD_STEPS
};

/* The file while it is made: its dimension scales by name. */
typedef struct {
    hid_t file;
    struct {
        const char *name;
        hid_t id;
    } scale[10];
    size_t n_scales;
    size_t n_links; /* of an index */
    const hs_store_link *link;
} maker;

/* Information may be longer one time than another; its slot may not, or the layout would move. */
static size_t slot_of(const char *name)
{
    return strcmp(name, "command_line") == 0 || strcmp(name, "history") == 0 ? SLOT_LONG : SLOT_SHORT;
}

static void write_now(char text[SLOT_TIME])
{
    time_t t = time(NULL);
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(text, SLOT_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static int root_attributes(const maker *m, const hs_store_spec *s, const char *store_id, size_t pad)
{
    hid_t f = m->file;
    int rc = HS_OK;
    char now[SLOT_TIME];
    write_now(now);
    HS_TRY(hs_h5_attr_text(f, "Conventions", "CF-1.8 hspace-1.0", 0));
    HS_TRY(hs_h5_attr_text(f, "hspace_kind", m->n_links > 0 ? "index" : "activations", 0));
    HS_TRY(hs_h5_attr_text(f, "hspace_format", "1.0", 0));
    HS_TRY(hs_h5_attr_text(f, "hspace_store_id", store_id, 0));
    for (size_t i = 0; i < s->n_attr; i++) {
        HS_TRY(hs_h5_attr_text(f, s->attr[i].name, s->attr[i].value, 0));
    }
    for (size_t i = 0; i < s->n_info; i++) {
        HS_TRY(hs_h5_attr_text(f, s->info[i].name, s->info[i].value, slot_of(s->info[i].name)));
    }
    HS_TRY(hs_h5_attr_text(f, "created", now, SLOT_TIME));
    if (pad > 0) {
        HS_TRY(hs_h5_attr_text(f, "padding", "", pad));
    }
out:
    return rc;
}

/* Last of all, so that the two lie side by side.  The first attribute after the arrays may need a new chunk of the
 * header, and then leaves a gap in the old one that the second would go into: where moving doesn't help, fillers no
 * larger than either take all that first. */
static int seal_attributes(hid_t f, size_t tries)
{
    int rc = HS_OK;
    for (size_t i = 0; i < tries / PAD_STEPS * FILLERS; i++) {
        char name[32];
        snprintf(name, sizeof name, "filler_%zu", i);
        HS_TRY(hs_h5_attr_text(f, name, "", 1));
    }
    HS_TRY(hs_h5_attr_text(f, "finished", "", SLOT_TIME));
    HS_TRY(hs_h5_attr_i64(f, "sealed", 0));
out:
    return rc;
}

/* Attaches the scales named in dims ("sample,timestep"). */
static int attach(const maker *m, hid_t d, const char *dims)
{
    for (unsigned i = 0; *dims != '\0'; i++) {
        size_t len = strcspn(dims, ",");
        for (size_t k = 0; k < m->n_scales; k++) {
            if (strlen(m->scale[k].name) == len && memcmp(m->scale[k].name, dims, len) == 0 &&
                H5DSattach_scale(d, m->scale[k].id, i) < 0) {
                return hs_fail(HS_EIO, "a dimension can't be written");
            }
        }
        dims += len + (dims[len] == ',');
    }
    return HS_OK;
}

static int texts_of(hid_t d, const char *long_name, const char *units)
{
    int rc = hs_h5_attr_text(d, "long_name", long_name, 0);
    return rc == HS_OK && units != NULL ? hs_h5_attr_text(d, "units", units, 0) : rc;
}

/* A small array, written now; a scale when it carries the name of its one dimension. */
static int small(maker *m, const char *name, const char *dims, size_t n, hid_t type, const void *v,
                 const char *long_name)
{
    int rc = HS_OK;
    hsize_t dim = n;
    hid_t space = H5Screate_simple(1, &dim, NULL), dcpl = hs_h5_plist(H5P_DATASET_CREATE);
    hid_t d = H5Dcreate2(m->file, name, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    if (d < 0 || H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) < 0) {
        rc = hs_fail(HS_EIO, "%s can't be written", name);
        goto out;
    }
    HS_TRY(texts_of(d, long_name, NULL));
    if (strcmp(name, dims) == 0) {
        if (H5DSset_scale(d, name) < 0) {
            rc = hs_fail(HS_EIO, "%s can't be written", name);
            goto out;
        }
        m->scale[m->n_scales].name = name;
        m->scale[m->n_scales++].id = d;
        d = -1;
    } else {
        HS_TRY(attach(m, d, dims));
    }
out:
    if (d >= 0) {
        H5Dclose(d);
    }
    H5Pclose(dcpl);
    H5Sclose(space);
    return rc;
}

static int count_scale(maker *m, const char *name, size_t n, const char *long_name)
{
    int32_t *v = NULL;
    int rc = hs_alloc(n, sizeof *v, &v);
    for (size_t i = 0; rc == HS_OK && i < n; i++) {
        v[i] = (int32_t)i;
    }
    rc = rc == HS_OK ? small(m, name, name, n, H5T_STD_I32LE, v, long_name) : rc;
    free(v);
    return rc;
}

static int coordinates(maker *m, const hs_store_spec *s)
{
    int rc = HS_OK;
    int32_t *step = NULL;
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    H5Tset_cset(text, H5T_CSET_UTF8);
    HS_TRY(small(m, "sample", "sample", s->n, H5T_STD_I64LE, s->sample, "global sample id"));
    HS_TRY(small(m, "timestep", "timestep", s->S, H5T_STD_I32LE, s->timestep, "t given to the U-Net"));
    HS_TRY(count_scale(m, "channel", s->h.c, "channel of h"));
    HS_TRY(count_scale(m, "y", s->h.h, "row of h"));
    HS_TRY(count_scale(m, "x", s->h.w, "column of h"));
    if (s->keep_x_T || s->keep_x_0 || s->keep_eps) {
        HS_TRY(count_scale(m, "rgb", s->image.c, "channel of the image"));
        HS_TRY(count_scale(m, "row", s->image.h, "row of the image"));
        HS_TRY(count_scale(m, "col", s->image.w, "column of the image"));
    }
    HS_TRY(hs_alloc(s->S, sizeof *step, &step));
    for (size_t k = 0; k < s->S; k++) {
        step[k] = (int32_t)k;
    }
    HS_TRY(small(m, "step", "timestep", s->S, H5T_STD_I32LE, step, "index of the sampler step"));
    HS_TRY(small(m, "alpha_bar", "timestep", s->S, H5T_IEEE_F64LE, s->alpha_bar, "cumulative product of alpha at t"));
    HS_TRY(small(m, "seed", "sample", s->n, H5T_STD_U64LE, s->seed, "random key of the sample"));
    HS_TRY(small(m, "source", "sample", s->n, text, s->source, "file name, or prior"));
out:
    free(step);
    H5Tclose(text);
    return rc;
}

static const void *not_a_number(hs_dtype dtype)
{
    static const float nan32 = NAN;
    static const uint16_t nan16 = 0x7e00;
    return dtype == HS_F16 ? (const void *)&nan16 : &nan32;
}

/* A virtual array: rows of the array of that name in each shard.  What isn't there reads as NaN, or 0: no CRC is
 * 0 but by chance. */
static int link_rows(const maker *m, hid_t dcpl, const char *name, int rank, const hsize_t *dim, hs_dtype dtype)
{
    static const uint32_t zero = 0;
    hid_t type = hs_h5_type(dtype);
    hsize_t start[5] = {0}, count[5];
    int bad = H5Pset_fill_value(dcpl, type,
                                dtype == HS_F32 || dtype == HS_F16 ? not_a_number(dtype) : (const void *)&zero) < 0;
    memcpy(count, dim, (size_t)rank * sizeof *dim);
    for (size_t i = 0; i < m->n_links && !bad; i++) {
        start[0] = m->link[i].first;
        count[0] = m->link[i].count;
        hid_t here = H5Screate_simple(rank, dim, NULL), there = H5Screate_simple(rank, count, NULL);
        bad = H5Sselect_hyperslab(here, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
              H5Pset_virtual(dcpl, here, m->link[i].name, name, there) < 0;
        H5Sclose(here);
        H5Sclose(there);
    }
    H5Tclose(type);
    return bad ? hs_fail(HS_EIO, "%s can't be linked to the shards", name) : HS_OK;
}

/* Filled by position: whole extent, contiguous, no fill. */
static void lay_flat(hid_t dcpl)
{
    H5Pset_layout(dcpl, H5D_CONTIGUOUS);
    H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
}

static int laid_out(maker *m, const char *name, const char *dims, int rank, const hsize_t *dim, hs_dtype dtype,
                    const char *long_name)
{
    int rc = HS_OK;
    hid_t space = H5Screate_simple(rank, dim, NULL), dcpl = hs_h5_plist(H5P_DATASET_CREATE), type = hs_h5_type(dtype);
    hid_t d = -1;
    if (m->n_links > 0) {
        HS_TRY(link_rows(m, dcpl, name, rank, dim, dtype));
    } else {
        lay_flat(dcpl);
    }
    d = H5Dcreate2(m->file, name, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    if (d < 0) {
        rc = hs_fail(HS_EIO, "%s can't be laid out", name);
        goto out;
    }
    HS_TRY(texts_of(d, long_name, "1"));
    if (dtype == HS_F32 || dtype == HS_F16) {
        hid_t one = H5Screate(H5S_SCALAR), a = H5Acreate2(d, "_FillValue", type, one, H5P_DEFAULT, H5P_DEFAULT);
        if (a < 0 || H5Awrite(a, type, not_a_number(dtype)) < 0) {
            rc = hs_fail(HS_EIO, "%s can't be laid out", name);
        }
        H5Aclose(a);
        H5Sclose(one);
    }
    rc = rc == HS_OK ? attach(m, d, dims) : rc;
out:
    if (d >= 0) {
        H5Dclose(d);
    }
    H5Tclose(type);
    H5Pclose(dcpl);
    H5Sclose(space);
    return rc;
}

static int parts(maker *m, const hs_store_spec *s)
{
    int rc = HS_OK;
    const hsize_t n = s->n, S = s->S, c = s->image.c, r = s->image.h, w = s->image.w;
    const hsize_t h[5] = {n, S, s->h.c, s->h.h, s->h.w}, crc[2] = {n, S};
    const hsize_t xt[4] = {n, c, r, w}, x0[4] = {n, r, w, c}, eps[5] = {n, S, c, r, w};
    HS_TRY(laid_out(m, "h", "sample,timestep,channel,y,x", 5, h, s->dtype, "activation"));
    HS_TRY(laid_out(m, "crc32c", "sample,timestep", 2, crc, HS_U32, "CRC-32C of the cell of h"));
    if (s->keep_x_T) {
        HS_TRY(laid_out(m, "x_T", "sample,rgb,row,col", 4, xt, HS_F32, "starting noise or inverted latent"));
        HS_TRY(laid_out(m, "crc32c_x_T", "sample", 1, crc, HS_U32, "CRC-32C of the row of x_T"));
    }
    if (s->keep_x_0) {
        HS_TRY(laid_out(m, "x_0", "sample,row,col,rgb", 4, x0, HS_U8, "image"));
        HS_TRY(laid_out(m, "crc32c_x_0", "sample", 1, crc, HS_U32, "CRC-32C of the row of x_0"));
    }
    if (s->keep_eps) {
        HS_TRY(laid_out(m, "eps", "sample,timestep,rgb,row,col", 5, eps, HS_F32, "predicted noise"));
        HS_TRY(laid_out(m, "crc32c_eps", "sample,timestep", 2, crc, HS_U32, "CRC-32C of the cell of eps"));
    }
out:
    return rc;
}

static int provenance(hid_t f, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), dcpl = hs_h5_plist(H5P_DATASET_CREATE);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    hid_t lcpl = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(lcpl, 1);
    hid_t d = H5Dcreate2(f, name, type, space, lcpl, dcpl, H5P_DEFAULT);
    int bad = d < 0 || H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &text) < 0 || H5Dclose(d) < 0;
    H5Pclose(lcpl);
    H5Pclose(dcpl);
    H5Sclose(space);
    H5Tclose(type);
    return bad ? hs_fail(HS_EIO, "%s can't be written", name) : HS_OK;
}

/* What an index says besides: its shards, and that it is whole. */
static int index_ending(const maker *m)
{
    int rc = HS_OK;
    char now[SLOT_TIME];
    const char **name = NULL;
    hsize_t n = m->n_links;
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &n, NULL), dcpl = hs_h5_plist(H5P_DATASET_CREATE);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    hid_t d = H5Dcreate2(m->file, "provenance/shards", type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    HS_TRY(hs_alloc(m->n_links, sizeof *name, &name));
    for (size_t i = 0; i < m->n_links; i++) {
        name[i] = m->link[i].name;
    }
    if (d < 0 || H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, name) < 0) {
        rc = hs_fail(HS_EIO, "the names of the shards can't be written");
        goto out;
    }
    write_now(now);
    HS_TRY(hs_h5_attr_text(m->file, "finished", now, SLOT_TIME));
    HS_TRY(hs_h5_attr_i64(m->file, "sealed", 1));
out:
    if (d >= 0) {
        H5Dclose(d);
    }
    H5Pclose(dcpl);
    H5Sclose(space);
    H5Tclose(type);
    free(name);
    return rc;
}

static int make(maker *m, const char *path, const hs_store_spec *s, const char *params, size_t tries)
{
    int rc = HS_OK;
    char id[HS_SHA256_HEX];
    m->file = -1;
    HS_TRY(hs_sha256_of(params, strlen(params), id));
    HS_TRY(hs_h5_create(path, &m->file));
    HS_TRY(root_attributes(m, s, id, tries % PAD_STEPS * PAD_STEP));
    HS_TRY(coordinates(m, s));
    HS_TRY(provenance(m->file, "provenance/parameters", params));
    HS_TRY(provenance(m->file, "provenance/model_config", s->model_config != NULL ? s->model_config : ""));
    HS_TRY(provenance(m->file, "provenance/scheduler_config", s->scheduler_config != NULL ? s->scheduler_config : ""));
    HS_TRY(parts(m, s));
    HS_TRY(m->n_links > 0 ? index_ending(m) : seal_attributes(m->file, tries));
out:
    for (size_t i = 0; i < m->n_scales; i++) {
        H5Dclose(m->scale[i].id);
    }
    if (m->file >= 0 && H5Fclose(m->file) < 0 && rc == HS_OK) {
        rc = hs_fail(HS_EIO, "the file can't be laid out");
    }
    return rc;
}

int hs_store_index_create(const char *path, const hs_store_spec *spec, const char *params, size_t n,
                          const hs_store_link *link)
{
    maker m = {.n_links = n, .link = link};
    return hs_fail_in(make(&m, path, spec, params, 0), path);
}

/* Bytes of the cells and their CRCs. */
static uint64_t bulk(const hs_store_file *f)
{
    uint64_t sum = 0;
    for (int p = 0; p < HS_PARTS; p++) {
        const hs_store_part *q = &f->part[p];
        sum += q->present ? (uint64_t)f->n * q->cells * (q->cell + 4) : 0;
    }
    return sum;
}

/* Room for size bytes, or HS_EIO saying how many were wanted. */
static int reserve(const char *path, uint64_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        return hs_fail_errno(path, "creating");
    }
    int e = posix_fallocate(fd, 0, (off_t)size);
    int failed = e == 0 && fsync(fd) != 0;
    e = failed ? errno : e;
    close(fd);
    if (e != 0) {
        return hs_fail(HS_EIO, "%s: no room for the %llu bytes of the store: %s", path, (unsigned long long)size,
                       strerror(e));
    }
    return HS_OK;
}

int hs_store_file_create(const char *path, const hs_store_spec *spec, const char *params)
{
    int rc = HS_OK;
    hs_store_file f = {0}, made = {0};
    HS_TRY(hs_store_params_parse(params, &f));
    /* Before HDF5 is let near a full disk, which it takes badly. */
    HS_TRY(reserve(path, bulk(&f) + 65536));
    for (size_t i = 0; i < PAD_TRIES; i++) {
        uint64_t offset = 0;
        size_t len = 0;
        unsigned char patch[512];
        maker m = {0};
        HS_TRY(make(&m, path, spec, params, i));
        hs_store_file_clear(&made);
        HS_TRY(hs_store_file_load(path, &made));
        rc = hs_store_file_seal_patch(path, &made, "9999-12-31T23:59:59Z", &offset, &len, patch);
        /* Bytes of a checksum may agree by chance this time. */
        if (rc == HS_OK && offset / 512 == (offset - 8) / 512 && offset / 512 == (offset + len + 8) / 512) {
            break;
        }
        if (rc != HS_EBUG && rc != HS_OK) {
            goto out;
        }
        rc = i + 1 < PAD_TRIES ? HS_OK : hs_fail(HS_EBUG, "%s: the seal doesn't fit into one sector", path);
    }
    HS_TRY(rc);
    HS_TRY(reserve(path, made.file_size));
out:
    hs_store_file_clear(&f);
    hs_store_file_clear(&made);
    return rc;
}

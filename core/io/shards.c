#include "core/io/shards.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/io/h5file.h"
#include "core/io/lock.h"
#include "core/io/store_set.h"

enum { ID_DIGITS = 8, NAME_LENGTH = ID_DIGITS + 1 + 5 + 4 + 5 + 3 };

/* ---- What a shard is, and where it lies ---- */

/* text <- of the arena. */
static int add_attr(hs_arena *arena, hs_attr *a, const char *name, const char *value)
{
    char *copy = NULL;
    size_t len = strlen(value) + 1;
    int rc = hs_arena_alloc(arena, len, 1, &copy);
    if (rc == HS_OK) {
        memcpy(copy, value, len);
        *a = (hs_attr){name, copy};
    }
    return rc;
}

static int store_id(const hs_store_spec *spec, char id[HS_SHA256_HEX])
{
    char *params = NULL;
    int rc = hs_store_params(spec, &params);
    rc = rc == HS_OK ? hs_sha256_of(params, strlen(params), id) : rc;
    free(params);
    return rc;
}

static int add_number(hs_arena *arena, hs_attr *a, const char *name, size_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", value);
    return add_attr(arena, a, name, text);
}

int hs_shard_spec(const hs_store_spec *whole, size_t i, size_t N, hs_arena *arena, hs_store_spec *out, size_t *first)
{
    int rc = HS_OK;
    char id[HS_SHA256_HEX];
    hs_attr *attr = NULL;
    HS_TRY(store_id(whole, id));
    size_t units = (whole->n - 1) / whole->unit + 1;
    if (i >= N || N > units || N > HS_SHARDS_MOST) {
        return hs_fail(HS_ERANGE,
                       "shard %zu of %zu: shards are numbered from 0, and %zu samples in batches of %zu are at most "
                       "%zu of them (--batch makes the batches smaller)",
                       i, N, whole->n, whole->unit, units < HS_SHARDS_MOST ? units : (size_t)HS_SHARDS_MOST);
    }
    size_t from = i * units / N * whole->unit, to = (i + 1) * units / N * whole->unit;
    to = to < whole->n ? to : whole->n;
    HS_TRY(hs_arena_alloc(arena, whole->n_attr + 5, sizeof *attr, &attr));
    memcpy(attr, whole->attr, whole->n_attr * sizeof *attr);
    HS_TRY(add_number(arena, attr + whole->n_attr, "shard", i));
    HS_TRY(add_number(arena, attr + whole->n_attr + 1, "shards", N));
    HS_TRY(add_number(arena, attr + whole->n_attr + 2, "shard_first", from));
    HS_TRY(add_number(arena, attr + whole->n_attr + 3, "whole_n", whole->n));
    HS_TRY(add_attr(arena, attr + whole->n_attr + 4, "whole_store_id", id));
    *out = *whole;
    out->n = to - from;
    out->sample += from;
    out->seed += from;
    out->source += from;
    out->n_attr += 5;
    out->attr = attr;
    *first = from;
out:
    return rc;
}

/* *out (free()) <- "acts.shards" for "acts.h5". */
static int folder_of(const char *path, char **out)
{
    size_t len = strlen(path), cut = len;
    for (size_t k = 0; k < 2; k++) {
        const char *end = k == 0 ? ".h5" : ".hdf5";
        size_t e = strlen(end);
        if (len > e && path[len - e - 1] != '/' && strcmp(path + len - e, end) == 0) {
            cut = len - e;
        }
    }
    int rc = hs_alloc(cut + sizeof ".shards", 1, out);
    if (rc == HS_OK) {
        snprintf(*out, cut + sizeof ".shards", "%.*s.shards", (int)cut, path);
    }
    return rc;
}

/* *out (free()) <- "folder/name". */
static int join(const char *folder, const char *name, char **out)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    int rc = hs_alloc(size, 1, out);
    if (rc == HS_OK) {
        snprintf(*out, size, "%s/%s", folder, name);
    }
    return rc;
}

static int path_of(const char *folder, const char *id, size_t i, size_t N, char **out)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s-%05zu-of-%05zu.h5", (int)ID_DIGITS, id, i, N);
    return join(folder, name, out);
}

int hs_shard_path(const char *path, const hs_store_spec *whole, size_t i, size_t N, char **out)
{
    int rc = HS_OK;
    char id[HS_SHA256_HEX], *folder = NULL;
    HS_TRY(store_id(whole, id));
    HS_TRY(folder_of(path, &folder));
    HS_TRY(path_of(folder, id, i, N, out));
out:
    free(folder);
    return rc;
}

/* Whether name is that of a shard: i, N and the digits of its whole. */
static int parse_name(const char *name, char id[ID_DIGITS + 1], size_t *i, size_t *N)
{
    unsigned a = 0, b = 0;
    int end = 0;
    if (strlen(name) != NAME_LENGTH || sscanf(name, "%8[0-9a-f]-%5u-of-%5u.h5%n", id, &a, &b, &end) != 3 ||
        end != NAME_LENGTH) {
        return 0;
    }
    *i = a;
    *N = b;
    return 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* *list (hs_strings_free) <- names of the shards in a folder, sorted; none when it isn't there. */
static int list_names(const char *folder, size_t *n, char ***list)
{
    int rc = HS_OK;
    char **names = NULL, id[ID_DIGITS + 1];
    size_t count = 0, i, N;
    DIR *dir = opendir(folder);
    if (dir == NULL && errno != ENOENT) {
        return hs_fail_errno(folder, "listing the shards");
    }
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        if (!parse_name(e->d_name, id, &i, &N)) {
            continue;
        }
        char **more = realloc(names, (count + 1) * sizeof *more);
        rc = more != NULL ? HS_OK : hs_fail(HS_ENOMEM, "%s: out of memory", folder);
        names = more != NULL ? more : names;
        HS_TRY(rc);
        HS_TRY(hs_strdup(e->d_name, &names[count]));
        count++;
    }
    if (names != NULL) {
        qsort(names, count, sizeof *names, by_name);
    }
    *n = count;
    *list = names;
    names = NULL;
out:
    hs_strings_free(count, names);
    if (dir != NULL) {
        closedir(dir);
    }
    return rc;
}

int hs_shards_beside(const char *path, size_t *n, char ***out)
{
    int rc = HS_OK;
    char *folder = NULL, **list = NULL;
    size_t count = 0;
    HS_TRY(folder_of(path, &folder));
    HS_TRY(list_names(folder, &count, &list));
    if (count == 0) {
        rc = hs_fail(HS_ERANGE, "%s: no shards there", folder);
        goto out;
    }
    for (size_t k = 0; k < count; k++) {
        if (memcmp(list[k], list[0], ID_DIGITS) != 0 || strcmp(list[k] + ID_DIGITS + 6, list[0] + ID_DIGITS + 6) != 0) {
            rc =
                hs_fail(HS_ERANGE, "%s: shards of several dumps (%s, %s): name those wanted", folder, list[0], list[k]);
            goto out;
        }
    }
    for (size_t k = 0; k < count; k++) {
        char *full = NULL;
        HS_TRY(join(folder, list[k], &full));
        free(list[k]);
        list[k] = full;
    }
    *n = count;
    *out = list;
    list = NULL;
out:
    free(folder);
    hs_strings_free(count, list);
    return rc;
}

/* ---- Before and after a shard is written ---- */

/* Raises what speaks against a file of another dump in the folder: the parameter that differs. */
static int refuse_other(const char *file, const hs_store_spec *whole, size_t i, size_t N)
{
    int rc = HS_OK;
    hs_arena arena = {0};
    hs_store_file f = {0};
    hs_store_spec spec;
    char *params = NULL;
    size_t first;
    HS_TRY(hs_store_file_load(file, &f));
    HS_TRY(hs_shard_spec(whole, i, N, &arena, &spec, &first));
    HS_TRY(hs_store_params(&spec, &params));
    HS_TRY(hs_fail_in(hs_store_params_compare(f.params, params), file));
out:
    hs_store_file_clear(&f);
    hs_arena_free(&arena);
    free(params);
    return rc == HS_ERANGE ? rc : hs_fail(HS_ERANGE, "%s: a shard of another dump; -f passes over it", file);
}

static int check_folder(const char *folder, const hs_store_spec *whole, const char *id, size_t N)
{
    int rc = HS_OK;
    char **list = NULL, *file = NULL, theirs[ID_DIGITS + 1];
    size_t n = 0, i, M;
    HS_TRY(list_names(folder, &n, &list));
    for (size_t k = 0; k < n; k++) {
        if (!parse_name(list[k], theirs, &i, &M)) {
            continue;
        }
        if (memcmp(theirs, id, ID_DIGITS) != 0) {
            HS_TRY(join(folder, list[k], &file));
            HS_TRY(refuse_other(file, whole, i, M));
        } else if (M != N) {
            rc = hs_fail(HS_ERANGE, "%s: holds shards of %zu, here they are of %zu; -f starts anew", folder, M, N);
            goto out;
        }
    }
out:
    free(file);
    hs_strings_free(n, list);
    return rc;
}

/* *index = 1 when the index of this store is at path.  HS_ERANGE for anything else that is there. */
static int look_at(const char *path, const hs_store_spec *whole, int *index)
{
    int rc = HS_OK;
    struct stat st;
    hs_store_file f = {0};
    char *params = NULL;
    *index = 0;
    if (lstat(path, &st) != 0) {
        return errno == ENOENT ? HS_OK : hs_fail_errno(path, "looking");
    }
    rc = hs_store_file_load(path, &f);
    if (rc != HS_OK || f.shards == 0) {
        rc = rc == HS_EIO ? rc : hs_fail(HS_ERANGE, "%s: exists and isn't the index of shards; use -f", path);
        goto out;
    }
    HS_TRY(hs_store_params(whole, &params));
    HS_TRY(hs_fail_in(hs_store_params_compare(f.params, params), path));
    *index = 1;
out:
    hs_store_file_clear(&f);
    free(params);
    return rc;
}

int hs_shard_prepare(const char *path, const hs_store_spec *whole, size_t N, int force)
{
    int rc = HS_OK, index = 0;
    char id[HS_SHA256_HEX], *folder = NULL;
    HS_TRY(store_id(whole, id));
    HS_TRY(folder_of(path, &folder));
    if (!force) {
        HS_TRY(look_at(path, whole, &index));
        HS_TRY(check_folder(folder, whole, id, N));
    }
    if (mkdir(folder, 0777) == 0) {
        HS_TRY(hs_sync_folder(folder));
    } else if (errno != EEXIST) {
        rc = hs_fail_errno(folder, "making the folder of the shards");
    }
out:
    free(folder);
    return rc;
}

/* Whether a shard is there and no journal of it, which a sealed store has none of. */
static int seems_sealed(const char *file)
{
    struct stat st;
    char *journal = NULL;
    size_t size = strlen(file) + sizeof ".journal";
    if (stat(file, &st) != 0 || hs_alloc(size, 1, &journal) != HS_OK) {
        return 0;
    }
    snprintf(journal, size, "%s.journal", file);
    int there = stat(journal, &st) == 0;
    free(journal);
    return !there;
}

int hs_shards_finish(const char *path, const hs_store_spec *whole, size_t N, int force, int *written)
{
    int rc = HS_OK, there = 0, sealed = 1;
    char **list = NULL;
    hs_store *s = NULL;
    *written = 0;
    rc = look_at(path, whole, &there);
    HS_TRY(force && rc == HS_ERANGE ? HS_OK : rc);
    HS_TRY(hs_calloc(N, sizeof *list, &list));
    for (size_t i = 0; i < N && sealed; i++) {
        HS_TRY(hs_shard_path(path, whole, i, N, &list[i]));
        sealed = seems_sealed(list[i]);
    }
    if (!sealed || there) {
        *written = there;
        goto out;
    }
    rc = hs_shards_open(N, (const char *const *)list, &s);
    if (rc == HS_ERANGE) { /* one is only just being begun */
        rc = HS_OK;
        goto out;
    }
    HS_TRY(rc);
    rc = hs_shards_index(s, path, whole->n_info, whole->info, force);
    rc = rc == HS_ELOCKED ? HS_OK : rc;
    *written = rc == HS_OK;
out:
    hs_store_close(s);
    hs_strings_free(N, list);
    return rc;
}

/* ---- The index ---- */

/* *name (free()) <- of a shard as seen from the folder of the index. */
static int relative(const char *folder, const char *file, char **name)
{
    char *real = realpath(file, NULL);
    size_t len = strlen(folder);
    if (real == NULL) {
        return hs_fail_errno(file, "opening");
    }
    len = strcmp(folder, "/") == 0 ? 0 : len;
    const char *rest = strncmp(real, folder, len) == 0 && real[len] == '/' ? real + len + 1 : NULL;
    const char *slash = rest != NULL ? strchr(rest, '/') : NULL;
    int rc = rest == NULL || (slash != NULL && strchr(slash + 1, '/') != NULL) || *rest == '.'
                 ? hs_fail(HS_ERANGE, "%s: doesn't lie in the folder of its index, or in one within it", file)
                 : hs_strdup(rest, name);
    free(real);
    return rc;
}

/* *folder (free()) <- where path lies, links followed. */
static int real_folder(const char *path, char **folder)
{
    char *copy = NULL;
    int rc = hs_strdup(path, &copy);
    if (rc != HS_OK) {
        return rc;
    }
    char *slash = strrchr(copy, '/');
    if (slash != NULL) {
        slash[slash == copy] = '\0';
    }
    *folder = realpath(slash != NULL ? copy : ".", NULL);
    rc = *folder != NULL ? HS_OK : hs_fail_errno(path, "looking for its folder");
    free(copy);
    return rc;
}

static int write_index(const char *path, const hs_store *s, const hs_store_spec *spec, const hs_store_link *link)
{
    int rc = HS_OK;
    size_t size = strlen(path) + sizeof ".tmp";
    char *temp = NULL;
    HS_TRY(hs_alloc(size, 1, &temp));
    snprintf(temp, size, "%s.tmp", path);
    rc = hs_store_index_create(temp, spec, s->file.params, s->n_shards, link);
    rc = rc == HS_OK ? hs_publish(temp, path) : rc;
    if (rc != HS_OK) {
        unlink(temp);
    }
out:
    free(temp);
    return rc;
}

int hs_shards_index(const hs_store *s, const char *path, size_t n_info, const hs_attr *info, int force)
{
    int rc = HS_OK, lock = -1, there = 0;
    hs_arena arena = {0};
    hs_store_spec spec;
    hs_store_link *link = NULL;
    char *folder = NULL, *lock_path = NULL, **name = NULL;
    size_t size = strlen(path) + sizeof ".lock";
    HS_TRY(hs_alloc(size, 1, &lock_path));
    snprintf(lock_path, size, "%s.lock", path);
    HS_TRY(hs_store_spec_of(s, &arena, &spec));
    spec.n_info = n_info;
    spec.info = info;
    HS_TRY(real_folder(path, &folder));
    HS_TRY(hs_calloc(s->n_shards, sizeof *link, &link));
    HS_TRY(hs_calloc(s->n_shards, sizeof *name, &name));
    for (size_t i = 0; i < s->n_shards; i++) {
        HS_TRY(relative(folder, s->shard[i]->path, &name[i]));
        link[i] = (hs_store_link){name[i], s->first[i], s->shard[i]->file.n};
    }
    HS_TRY(hs_lock_take(lock_path, path, &lock));
    rc = look_at(path, &spec, &there);
    HS_TRY(force && rc == HS_ERANGE ? HS_OK : rc);
    HS_TRY(there ? HS_OK : write_index(path, s, &spec, link));
out:
    hs_lock_drop(lock_path, lock);
    hs_strings_free(s->n_shards, name);
    hs_arena_free(&arena);
    free(lock_path);
    free(folder);
    free(link);
    return rc;
}

/* Option values: one per row of the tables, read strictly by type. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/cli/internal.h"
#include "core/base/alloc.h"

enum { GRID_MAX = 100000 };

static size_t count_rows(const hs_command *def)
{
    size_t n = 0;
    while (hs_command_opt(def, n) != NULL) {
        n++;
    }
    return n;
}

int hs_vals_create(hs_cmd *c)
{
    size_t n = count_rows(c->def);
    int rc = hs_calloc(n, sizeof *c->val, &c->val);
    for (size_t i = 0; i < n && rc == HS_OK; i++) {
        const hs_opt *o = hs_command_opt(c->def, i);
        if (hs_val_find(c, o->name) != NULL || (o->letter != 0 && hs_val_find_letter(c, o->letter) != NULL)) {
            return hs_fail(HS_EBUG, "%s: option --%s is in two tables", c->def->name, o->name);
        }
        c->val[i].opt = o;
        c->n_val = i + 1;
        if (o->value != NULL && hs_val_set(&c->val[i], o->value, HS_FROM_DEFAULT, o->name) != HS_OK) {
            return hs_fail(HS_EBUG, "%s: default of --%s: %s", c->def->name, o->name, hs_error_message());
        }
    }
    return rc;
}

static void val_clear(hs_val *v)
{
    free(v->text);
    for (size_t i = 0; i < v->n; i++) {
        free(v->item[i]);
    }
    free(v->item);
    free(v->grid);
    *v = (hs_val){.opt = v->opt};
}

void hs_vals_free(hs_cmd *c)
{
    for (size_t i = 0; i < c->n_val; i++) {
        val_clear(&c->val[i]);
    }
    free(c->val);
}

hs_val *hs_val_find(const hs_cmd *c, const char *name)
{
    for (size_t i = 0; i < c->n_val; i++) {
        if (strcmp(c->val[i].opt->name, name) == 0) {
            return &c->val[i];
        }
    }
    return NULL;
}

hs_val *hs_val_find_letter(const hs_cmd *c, char letter)
{
    for (size_t i = 0; i < c->n_val; i++) {
        if (c->val[i].opt->letter == letter) {
            return &c->val[i];
        }
    }
    return NULL;
}

static int has_range(const hs_opt *o)
{
    return o->lo < o->hi;
}

HS_CHECKED static int set_int(hs_val *v, const char *text)
{
    int64_t lo = INT64_MIN, hi = INT64_MAX;
    if (has_range(v->opt)) {
        lo = v->opt->lo <= -0x1p63 ? INT64_MIN : (int64_t)v->opt->lo;
        hi = v->opt->hi >= 0x1p63 ? INT64_MAX : (int64_t)v->opt->hi;
    }
    return hs_text_i64(text, lo, hi, &v->whole);
}

HS_CHECKED static int number_in_range(const hs_opt *o, const char *text, double *out)
{
    return hs_text_f64(text, has_range(o) ? o->lo : -DBL_MAX, has_range(o) ? o->hi : DBL_MAX, out);
}

HS_CHECKED static int set_flag(hs_val *v, const char *text)
{
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            v->flag = strcmp(text, yes[i]) == 0;
            return HS_OK;
        }
    }
    return hs_fail(HS_ERANGE, "'%.80s' is not a switch; wanted true or false", text);
}

/* True when the len bytes at word are one of "a|b|c". */
static int among(const char *word, size_t len, const char *choices)
{
    for (const char *p = choices; *p != '\0';) {
        size_t n = strcspn(p, "|");
        if (n == len && memcmp(p, word, n) == 0) {
            return 1;
        }
        p += n + (p[n] == '|');
    }
    return 0;
}

HS_CHECKED static int check_choice(const hs_opt *o, const char *text)
{
    if (o->choices == NULL || among(text, strlen(text), o->choices)) {
        return HS_OK;
    }
    return hs_fail(HS_ERANGE, "'%.80s' is unknown; wanted %s", text, o->choices);
}

HS_CHECKED static int push_text(hs_val *v, const char *text, size_t len)
{
    char **item = realloc(v->item, (v->n + 1) * sizeof *item);
    char *copy = strndup(text, len);
    if (item != NULL) {
        v->item = item;
    }
    if (item == NULL || copy == NULL) {
        free(copy);
        return hs_fail(HS_ENOMEM, "options: out of memory");
    }
    v->item[v->n++] = copy;
    return HS_OK;
}

/* Length of the first item of a comma-separated text.  Numbers after an item with a colon belong to
 * it: "brightness:0,0,8,8,x0" is two items. */
static size_t item_length(const char *p)
{
    size_t n = strcspn(p, ",");
    int colon = memchr(p, ':', n) != NULL;
    while (colon && p[n] == ',') {
        size_t next = strcspn(p + n + 1, ",");
        if (next == 0 || strspn(p + n + 1, "0123456789") != next) {
            break;
        }
        n += 1 + next;
    }
    return n;
}

/* A text that exists as a file is that file, commas and all. */
HS_CHECKED static int push_list(hs_val *v, const char *text)
{
    if (access(text, F_OK) == 0) {
        return push_text(v, text, strlen(text));
    }
    for (const char *p = text;; p++) {
        size_t n = item_length(p);
        if (n == 0) {
            return hs_fail(HS_ERANGE, "'%.80s' has an empty item; wanted texts separated by commas", text);
        }
        int rc = push_text(v, p, n);
        if (rc == HS_OK) {
            rc = check_choice(v->opt, v->item[v->n - 1]);
        }
        p += n;
        if (rc != HS_OK || *p == '\0') {
            return rc;
        }
    }
}

HS_CHECKED static int push_numbers(hs_val *v, double a, double step, size_t n, double b)
{
    if (n > GRID_MAX - v->n_grid) {
        return hs_fail(HS_ELIMIT, "more than %d values; wanted fewer", GRID_MAX);
    }
    double *grid = realloc(v->grid, (v->n_grid + n) * sizeof *grid);
    if (grid == NULL) {
        return hs_fail(HS_ENOMEM, "options: out of memory");
    }
    v->grid = grid;
    for (size_t k = 0; k < n; k++) {
        double s = k + 1 == n ? b : a + (double)k * step;
        v->grid[v->n_grid++] = fabs(s) < 1e-9 * fabs(step) ? 0.0 : s;
    }
    return HS_OK;
}

/* A:B:STEP as the points A + k STEP with both ends; B is kept also off the grid. */
HS_CHECKED static int push_range(hs_val *v, const char *const part[3])
{
    double a = 0, b = 0, step = 0;
    int rc = HS_OK;
    HS_TRY(number_in_range(v->opt, part[0], &a));
    HS_TRY(number_in_range(v->opt, part[1], &b));
    HS_TRY(hs_text_f64(part[2], -DBL_MAX, DBL_MAX, &step));
    double count = (b - a) / step;
    if (step == 0 || !(count >= 0)) {
        return hs_fail(HS_ERANGE, "%.80s:%.80s:%.80s goes nowhere; wanted A:B:STEP with STEP from A towards B", part[0],
                       part[1], part[2]);
    }
    if (count > GRID_MAX) {
        return hs_fail(HS_ELIMIT, "%.80s:%.80s:%.80s has more than %d values; wanted fewer", part[0], part[1], part[2],
                       GRID_MAX);
    }
    double whole = floor(count + 1e-6);
    size_t extra = count - whole > 1e-6;
    rc = push_numbers(v, a, step, (size_t)whole + 1 + extra, b);
out:
    return rc;
}

/* One comma-separated part of a grid; the text is cut up in place. */
HS_CHECKED static int push_point(hs_val *v, char *text)
{
    char *part[3] = {text, NULL, NULL};
    size_t n = 1;
    for (char *colon = strchr(text, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        if (n == 3) {
            return hs_fail(HS_ERANGE, "'%.80s' has too many colons; wanted A:B:STEP", colon + 1);
        }
        part[n++] = colon + 1;
        *colon = '\0';
    }
    if (n == 2) {
        return hs_fail(HS_ERANGE, "'%.80s:%.80s' has no step; wanted A:B:STEP", part[0], part[1]);
    }
    if (n == 3) {
        return push_range(v, (const char *const *)part);
    }
    double x = 0;
    int rc = number_in_range(v->opt, text, &x);
    return rc == HS_OK ? push_numbers(v, x, 0, 1, x) : rc;
}

HS_CHECKED static int push_grid(hs_val *v, const char *text)
{
    char *copy = NULL;
    int rc = HS_OK;
    HS_TRY(push_text(v, text, strlen(text)));
    HS_TRY(hs_strdup(text, &copy));
    for (char *p = copy; p != NULL;) {
        char *comma = strchr(p, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        HS_TRY(push_point(v, p));
        p = comma != NULL ? comma + 1 : NULL;
    }
out:
    free(copy);
    return rc;
}

HS_CHECKED static int set_by_type(hs_val *v, const char *text)
{
    switch (v->opt->type) {
    case HS_OPT_FLAG: return set_flag(v, text);
    case HS_OPT_INT: return set_int(v, text);
    case HS_OPT_NUM: return number_in_range(v->opt, text, &v->number);
    case HS_OPT_LIST: return push_list(v, text);
    case HS_OPT_GRID: return push_grid(v, text);
    case HS_OPT_STR: break;
    }
    if (text[0] == '\0') {
        return hs_fail(HS_ERANGE, "nothing given; wanted %s", v->opt->meta != NULL ? v->opt->meta : "a text");
    }
    return check_choice(v->opt, text);
}

int hs_val_set(hs_val *v, const char *text, hs_from from, const char *where)
{
    int repeatable = v->opt->type == HS_OPT_LIST || v->opt->type == HS_OPT_GRID;
    if (v->set && v->from > from) {
        return HS_OK;
    }
    if (v->set && v->from == from && !repeatable) {
        return hs_fail(HS_ERANGE, "%s: given twice; wanted once", where);
    }
    if (v->from < from) {
        val_clear(v);
    }
    int rc = set_by_type(v, text);
    if (rc == HS_OK && !repeatable) {
        rc = hs_strdup(text, &v->text);
    }
    v->set = 1;
    v->from = from;
    return hs_fail_in(rc, where);
}

static json_t *json_text(const char *s)
{
    json_t *j = json_string(s);
    if (j == NULL) { /* not UTF-8 */
        char safe[1024];
        hs_text_escape(s, safe, sizeof safe);
        j = json_string(safe);
    }
    return j;
}

json_t *hs_val_json(const hs_val *v)
{
    json_t *list = json_array();
    switch (v->opt->type) {
    case HS_OPT_FLAG: json_decref(list); return json_boolean(v->flag);
    case HS_OPT_LIST:
        for (size_t i = 0; i < v->n; i++) {
            json_array_append_new(list, json_text(v->item[i]));
        }
        break;
    case HS_OPT_GRID:
        for (size_t i = 0; i < v->n_grid; i++) {
            json_array_append_new(list, hs_json_num(v->grid[i]));
        }
        break;
    default: json_decref(list); list = NULL;
    }
    if (list != NULL) {
        return list;
    }
    if (!v->set) {
        return json_null();
    }
    return v->opt->type == HS_OPT_INT   ? json_integer(v->whole)
           : v->opt->type == HS_OPT_NUM ? hs_json_num(v->number)
                                        : json_text(v->text);
}

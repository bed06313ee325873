#include "core/model/asyrp.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

struct hs_asyrp {
    const hs_unet *unet;
    hs_unet_ws *ws;
    hs_edit edit;
    int plain;     /* no edit at all */
    int apart;     /* an edited step has been made: each row is its own state */
    size_t n, cap; /* images; states encoded at once */
    size_t d_h, d_x, d_temb;
    hs_arena arena;
    float *x, *h, *dh, *temb; /* (cap, .) of the states at hand */
    float *unedited, *de;     /* (cap, .) unedited eps of each state and what is added to it, if anything */
    float *h_rows, *eps_rows; /* (cap (m + 1), .) decoder rows */
    size_t *state;            /* (cap (m + 1)) state of each decoder row */
    int *t;                   /* (cap) */
    size_t *image;            /* (cap) */
};

static const double one_strength = 0;

void hs_path_add(size_t d, double s, const float *h, const float *dh, float *out)
{
    float f = (float)s;
    for (size_t i = 0; i < d; i++) {
        out[i] = h[i] + f * dh[i];
    }
}

HS_CHECKED static int allocate(hs_asyrp *a)
{
    int rc;
    size_t rows;
    HS_TRY(hs_size_mul(a->cap, a->edit.m + 1, &rows));
    HS_TRY(hs_arena_alloc(&a->arena, a->cap, a->d_x * sizeof(float), &a->x));
    HS_TRY(hs_arena_alloc(&a->arena, a->cap, a->d_h * sizeof(float), &a->h));
    HS_TRY(hs_arena_alloc(&a->arena, a->cap, a->d_temb * sizeof(float), &a->temb));
    HS_TRY(hs_arena_alloc(&a->arena, a->cap, sizeof *a->t, &a->t));
    HS_TRY(hs_arena_alloc(&a->arena, a->cap, sizeof *a->image, &a->image));
    if (!a->plain) {
        HS_TRY(hs_arena_alloc(&a->arena, a->cap, a->d_h * sizeof(float), &a->dh));
        HS_TRY(hs_arena_alloc(&a->arena, rows, a->d_h * sizeof(float), &a->h_rows));
    }
    if (a->edit.delta_eps.dh != NULL) {
        HS_TRY(hs_arena_alloc(&a->arena, a->cap, a->d_x * sizeof(float), &a->unedited));
        HS_TRY(hs_arena_alloc(&a->arena, a->cap, a->d_x * sizeof(float), &a->de));
    }
    HS_TRY(hs_arena_alloc(&a->arena, rows, a->d_x * sizeof(float), &a->eps_rows));
    HS_TRY(hs_arena_alloc(&a->arena, rows, sizeof *a->state, &a->state));
out:
    return rc;
}

int hs_asyrp_create(const hs_unet *u, hs_unet_ws *ws, const hs_edit *edit, size_t n, hs_asyrp **out)
{
    int rc;
    hs_asyrp *a = NULL;
    const hs_unet_config *cfg = hs_unet_config_of(u);
    HS_TRY(hs_calloc(1, sizeof *a, &a));
    a->unet = u;
    a->ws = ws;
    a->plain = edit == NULL;
    a->edit = edit != NULL ? *edit : (hs_edit){.m = 1, .strength = &one_strength};
    a->n = n;
    a->d_h = hs_chw_size(hs_unet_h_shape(cfg));
    a->d_x = hs_chw_size(hs_unet_image_shape(cfg));
    a->d_temb = cfg->temb_dim;
    if (a->edit.m == 0 || n == 0) {
        rc = hs_fail(HS_ERANGE, "asyrp: %zu images at %zu strengths; wanted at least one of each", n, a->edit.m);
        goto out;
    }
    size_t rows;
    HS_TRY(hs_size_mul(n, a->edit.m, &rows));
    a->cap = rows < hs_unet_ws_states(ws) ? rows : hs_unet_ws_states(ws);
    HS_TRY(allocate(a));
    *out = a;
    a = NULL;
out:
    hs_asyrp_free(a);
    return rc;
}

void hs_asyrp_free(hs_asyrp *a)
{
    if (a != NULL) {
        hs_arena_free(&a->arena);
        free(a);
    }
}

/* One batch of states: `count` of them from `first`, each standing for `per` rows: m while images
 * are whole states, 1 when each row is one. */
typedef struct {
    size_t first, count, per, step;
    int t;
} batch;

HS_CHECKED static int encode(hs_asyrp *a, const batch *b, const float *x_t)
{
    int rc = HS_OK;
    for (size_t k = 0; k < b->count; k++) {
        memcpy(a->x + k * a->d_x, x_t + (b->first + k) * b->per * a->d_x, a->d_x * sizeof *x_t);
        a->t[k] = b->t;
        a->image[k] = (b->first + k) * b->per / a->edit.m;
    }
    HS_TRY(hs_unet_encode_images(a->unet, a->ws, b->count, a->image, a->x, a->t, a->h));
    for (size_t k = 0; k < b->count && a->edit.observe_h != NULL; k++) {
        for (size_t j = 0; j < b->per; j++) {
            size_t row = (b->first + k) * b->per + j;
            HS_TRY(a->edit.observe_h(a->edit.observe_ctx, b->step, row, a->h + k * a->d_h));
        }
    }
out:
    return rc;
}

/* The unedited eps of state k is decoder row r. */
static void keep_plain(hs_asyrp *a, size_t k, size_t r)
{
    if (a->unedited != NULL) {
        memcpy(a->unedited + k * a->d_x, a->eps_rows + r * a->d_x, a->d_x * sizeof *a->unedited);
    }
}

/* Every row gets its state's own eps, for P and D alike. */
HS_CHECKED static int decode_plain(hs_asyrp *a, const batch *b, float *eps_p, float *eps_d)
{
    int rc;
    size_t bytes = a->d_x * sizeof(float);
    HS_TRY(hs_unet_decode(a->unet, a->ws, b->count, NULL, a->h, a->eps_rows));
    for (size_t k = 0; k < b->count; k++) {
        keep_plain(a, k, k);
    }
    for (size_t r = 0; r < b->count * b->per; r++) {
        size_t row = b->first * b->per + r;
        memcpy(eps_p + row * a->d_x, a->eps_rows + r / b->per * a->d_x, bytes);
        memcpy(eps_d + row * a->d_x, a->eps_rows + r / b->per * a->d_x, bytes);
    }
out:
    return rc;
}

static double strength_of(const hs_asyrp *a, size_t row)
{
    return a->edit.strength[row % a->edit.m];
}

/* True when some row of state k needs the unedited eps: always in the asymmetric process, or where eps is edited. */
static int needs_plain(const hs_asyrp *a, const batch *b, size_t k)
{
    int needed = !a->edit.symmetric || a->unedited != NULL;
    for (size_t j = 0; j < b->per; j++) {
        needed |= strength_of(a, (b->first + k) * b->per + j) == 0;
    }
    return needed;
}

static void add_row(hs_asyrp *a, size_t r, size_t k, double s)
{
    const float *h = a->h + k * a->d_h;
    float *out = a->h_rows + r * a->d_h;
    if (s == 0) {
        memcpy(out, h, a->d_h * sizeof *out);
    } else {
        a->edit.path(a->d_h, s, h, a->dh + k * a->d_h, out);
    }
    a->state[r] = k;
}

/* The decoder rows of the batch, state by state: the unedited one where needed, then one for each row of
 * non-zero strength. */
static size_t lay_rows(hs_asyrp *a, const batch *b)
{
    size_t r = 0;
    for (size_t k = 0; k < b->count; k++) {
        if (needs_plain(a, b, k)) {
            add_row(a, r++, k, 0);
        }
        for (size_t j = 0; j < b->per; j++) {
            double s = strength_of(a, (b->first + k) * b->per + j);
            if (s != 0) {
                add_row(a, r++, k, s);
            }
        }
    }
    return r;
}

static void collect_rows(hs_asyrp *a, const batch *b, float *eps_p, float *eps_d)
{
    size_t r = 0, bytes = a->d_x * sizeof(float);
    for (size_t k = 0; k < b->count; k++) {
        const float *plain = a->eps_rows + r * a->d_x;
        if (needs_plain(a, b, k)) {
            keep_plain(a, k, r++);
        }
        for (size_t j = 0; j < b->per; j++) {
            size_t row = (b->first + k) * b->per + j;
            const float *edited = strength_of(a, row) != 0 ? a->eps_rows + r++ * a->d_x : plain;
            memcpy(eps_p + row * a->d_x, edited, bytes);
            memcpy(eps_d + row * a->d_x, a->edit.symmetric ? edited : plain, bytes);
        }
    }
}

HS_CHECKED static int decode_edited(hs_asyrp *a, const batch *b, float *eps_p, float *eps_d)
{
    int rc;
    HS_TRY(a->edit.delta.dh(a->edit.delta.ctx, b->t, b->count, a->image, a->h, a->temb, a->dh));
    size_t rows = lay_rows(a, b);
    HS_TRY(hs_unet_decode(a->unet, a->ws, rows, a->state, a->h_rows, a->eps_rows));
    collect_rows(a, b, eps_p, eps_d);
out:
    return rc;
}

/* The rows of eps that are edited themselves: in P, and in D of the symmetric process. */
HS_CHECKED static int add_to_eps(hs_asyrp *a, const batch *b, float *eps_p, float *eps_d)
{
    int rc = HS_OK;
    HS_TRY(a->edit.delta_eps.dh(a->edit.delta_eps.ctx, b->t, b->count, a->image, a->unedited, a->temb, a->de));
    for (size_t r = 0; r < b->count * b->per; r++) {
        size_t row = b->first * b->per + r;
        const float *de = a->de + r / b->per * a->d_x;
        float s = (float)strength_of(a, row), *p = eps_p + row * a->d_x, *d = eps_d + row * a->d_x;
        for (size_t i = 0; i < a->d_x && s != 0; i++) {
            p[i] += s * de[i];
            d[i] = a->edit.symmetric ? p[i] : d[i];
        }
    }
out:
    return rc;
}

HS_CHECKED static int edit_batch(hs_asyrp *a, const batch *b, float *eps_p, float *eps_d)
{
    int rc = HS_OK;
    for (size_t k = 0; k < b->count; k++) {
        memcpy(a->temb + k * a->d_temb, hs_unet_temb(a->ws, k), a->d_temb * sizeof *a->temb);
    }
    HS_TRY(a->edit.delta.dh != NULL ? decode_edited(a, b, eps_p, eps_d) : decode_plain(a, b, eps_p, eps_d));
    HS_TRY(a->edit.delta_eps.dh != NULL ? add_to_eps(a, b, eps_p, eps_d) : HS_OK);
out:
    return rc;
}

HS_CHECKED static int predict(void *ctx, size_t rows, const float *x_t, int t, size_t step, float *eps_p, float *eps_d)
{
    hs_asyrp *a = ctx;
    int rc = HS_OK, edited = !a->plain && t >= a->edit.t_edit;
    if (rows % a->edit.m != 0 || rows > a->n * a->edit.m) {
        rc = hs_fail(HS_EBUG, "asyrp: %zu rows for %zu images at %zu strengths", rows, a->n, a->edit.m);
        goto out;
    }
    if (step == 0) {
        a->apart = 0;
    }
    size_t per = a->apart ? 1 : a->edit.m, states = rows / per;
    for (size_t first = 0; first < states; first += a->cap) {
        batch b = {first, states - first < a->cap ? states - first : a->cap, per, step, t};
        HS_TRY(encode(a, &b, x_t));
        HS_TRY(edited ? edit_batch(a, &b, eps_p, eps_d) : decode_plain(a, &b, eps_p, eps_d));
    }
    a->apart |= edited && a->edit.m > 1;
out:
    return rc;
}

hs_predictor hs_asyrp_predictor(hs_asyrp *a)
{
    return (hs_predictor){predict, a};
}

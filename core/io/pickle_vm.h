/* The inside of pickle.h: values and the machine; for core/io/pickle*.c only. */
#ifndef HS_IO_PICKLE_VM_H
#define HS_IO_PICKLE_VM_H

#include "core/io/pickle.h"

typedef enum { V_NONE, V_BOOL, V_INT, V_FLOAT, V_STR, V_TUPLE, V_LIST, V_DICT, V_GLOBAL, V_STORAGE, V_TENSOR } kind;

/* Containers, storages and tensors are indexes into the machine's tables. */
typedef struct {
    kind kind;
    uint32_t len; /* of a string */
    union {
        int64_t i;
        double f;
        uint32_t ref;
        size_t at; /* of a string, in the input */
    } u;
} value;

enum { NIL = UINT32_MAX };

/* A container's members are a list through items; of a dict they alternate key, value. */
typedef struct {
    uint32_t first, last, n;
} container;

typedef struct {
    value v;
    uint32_t next;
} item;

typedef struct {
    hs_dtype dtype;
    uint64_t key, numel;
} storage;

typedef struct {
    uint32_t storage;
    uint64_t offset;
    size_t rank;
    uint64_t dim[HS_RANK_MAX], stride[HS_RANK_MAX];
} tensor;

typedef struct {
    const unsigned char *in;
    size_t len, at, ops;
    hs_pickle_limits limits;
    value *stack, *memo;
    uint8_t *memo_set;
    size_t n_stack, cap_stack, n_memo, cap_memo, cap_memo_set;
    size_t *mark;
    size_t n_mark, cap_mark;
    container *obj;
    item *items;
    storage *storages;
    tensor *tensors;
    size_t n_obj, cap_obj, n_items, cap_items, n_storages, cap_storages, n_tensors, cap_tensors;
} vm;

/* Makes room for one more element at *list (of n); HS_ELIMIT at limit. */
HS_CHECKED int hs_vm_room(const vm *m, void *list, size_t n, size_t *cap, size_t size);

/* v <- what calling global number g with the arguments gives (a token; nothing is called). */
HS_CHECKED int hs_vm_reduce(vm *m, uint32_t g, const container *args, value *v);
/* *g <- the number of module.name; HS_EFORMAT naming it when it isn't on the list. */
HS_CHECKED int hs_vm_global(const char *module, size_t module_len, const char *name, size_t name_len, uint32_t *g);
/* v <- the storage that a persistent id stands for. */
HS_CHECKED int hs_vm_storage(vm *m, value id, value *v);
/* v <- a new empty container of this kind. */
HS_CHECKED int hs_vm_container(vm *m, kind k, value *v);
/* Runs m->in to its STOP; *root <- the object. */
HS_CHECKED int hs_vm_run(vm *m, value *root);
/* out <- the tensors under root. */
HS_CHECKED int hs_vm_collect(vm *m, value root, hs_pickle *out);

#endif

/* Errors: how every function of libhspace reports that it failed.
 *
 * A function that can fail returns int: HS_OK (0) or one of the negative codes below, and is
 * declared HS_CHECKED.  Raising is one statement, return hs_fail(HS_ESHAPE, "...", ...); the
 * message names the place, what was found and what was wanted.  Passing on is HS_TRY(call),
 * which goes to the label out when the call failed.  Outputs are untouched on error, but for
 * HS_ENOCONV, whose outputs, residuals and counts are filled in.
 *
 * Nothing in core prints or exits; the message is kept for this thread until the next failure. */
#ifndef HS_BASE_ERROR_H
#define HS_BASE_ERROR_H

#define HS_CHECKED            __attribute__((warn_unused_result))
#define HS_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* One code per thing the caller can do about it; the exit code of the program is in brackets. */
enum {
    HS_OK = 0,
    HS_EBUG = -1,        /* an internal check failed                          [1]  */
    HS_ERANGE = -2,      /* an argument or option is outside its legal range  [2]  */
    HS_ESHAPE = -3,      /* two inputs don't fit each other                   [2]  */
    HS_EFORMAT = -4,     /* a file is malformed or unsafe: input refused      [3]  */
    HS_ELIMIT = -5,      /* over a stated limit; the message names the option [4]  */
    HS_ENOMEM = -6,      /* memory could not be had                           [4]  */
    HS_EIO = -7,         /* the operating system failed a read or a write     [5]  */
    HS_EDEGENERATE = -8, /* numerically undefined, 0/0                        [6]  */
    HS_ENOCONV = -9,     /* no convergence; outputs hold the best found       [6]  */
    HS_ECHECKSUM = -10,  /* our own data fails its checksum                   [7]  */
    HS_ELOCKED = -11,    /* another run holds the lock                        [8]  */
    HS_ESTOPPED = -12    /* stopped on request, resumable                     [75] */
};

/* Sets the thread's message (cut at 400 bytes; control characters escaped) and returns code. */
int hs_fail(int code, const char *fmt, ...) HS_PRINTF(2, 3);

/* Puts "WHERE: " in front of the thread's message and returns code, for callers that know the
 * file or option the callee didn't.  Does nothing but return code when code is HS_OK. */
int hs_fail_in(int code, const char *where);

/* Replaces errno's meaning: raises HS_EIO (HS_ENOMEM for ENOMEM) as "WHERE: WHAT: strerror". */
int hs_fail_errno(const char *where, const char *what);

/* The last message of this thread, "" if none; borrowed until the next failure. */
const char *hs_error_message(void);

/* The program's exit code for a status: the bracketed number above, 0 for HS_OK. */
int hs_exit_code(int status);

/* The body of a function that owns things: int rc = HS_OK; ... HS_TRY(f(...)); ... out: free; return rc; */
#define HS_TRY(call)       \
    do {                   \
        rc = (call);       \
        if (rc != HS_OK) { \
            goto out;      \
        }                  \
    } while (0)

#endif

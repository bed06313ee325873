/* The clock for intervals: seconds since some fixed moment, monotonic.  Wall time is for information only. */
#ifndef HS_BASE_CLOCK_H
#define HS_BASE_CLOCK_H

double hs_clock(void);

#endif

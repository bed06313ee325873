/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): polynomial 0x1EDC6F41 reflected, initial and final
 * inversion; CRC of "123456789" is 0xE3069283.  By the processor's instruction where it has one
 * (SSE 4.2: about 5 GB/s), else by table. */
#ifndef HS_IO_CRC32C_H
#define HS_IO_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what gave crc followed by len bytes; start with 0. */
uint32_t hs_crc32c(uint32_t crc, const void *bytes, size_t len);
/* The same by table only; for machines without the instruction, and as its oracle. */
uint32_t hs_crc32c_table(uint32_t crc, const void *bytes, size_t len);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * Fixed-size types without any header: the core is freestanding, so that the
 * very same files build into a kernel, into tests and on bare metal.
 */
#ifndef DVS_TYPES_H
#define DVS_TYPES_H

typedef __UINT8_TYPE__ dvs_u8;
typedef __UINT16_TYPE__ dvs_u16;
typedef __UINT32_TYPE__ dvs_u32;
typedef __UINT64_TYPE__ dvs_u64;
typedef __INT32_TYPE__ dvs_s32;
typedef __INT64_TYPE__ dvs_s64;
typedef __SIZE_TYPE__ dvs_size;

/*
 * Part of every call between processes of one VM: the compiler keeps the code of
 * these functions together, so that a call needs few pages of it.
 */
#define DVS_HOT __attribute__((__hot__))

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "frames are little-endian and are used in place: port the accessors first"
#endif

#endif

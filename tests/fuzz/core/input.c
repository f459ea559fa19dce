// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* From bytes to values that are likely to mean something. */
#include "harness.h"

dvs_u8 take8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

dvs_u32 take32(struct input *in)
{
	dvs_u32 v = take8(in);

	v |= (dvs_u32)take8(in) << 8;
	v |= (dvs_u32)take8(in) << 16;
	return v | (dvs_u32)take8(in) << 24;
}

dvs_s32 number(struct input *in)
{
	dvs_u8 b = take8(in);

	return b < 0xf0 ? b % 12 : b == 0xf0 ? DVS_ANY : (dvs_s32)take32(in);
}

struct dvs_addr address(struct input *in)
{
	struct dvs_addr a = { .nr = number(in) };
	dvs_u8 b = take8(in);

	a.gen = b & 1 ? b >> 1 : 0;
	return a;
}

dvs_u32 size(struct input *in)
{
	dvs_u8 b = take8(in);

	return b < 0xfc ? b : DVS_MSG_PAYLOAD_MAX - 2 + (b & 3);
}

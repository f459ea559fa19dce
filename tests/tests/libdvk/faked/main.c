// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* All checks, in their order. */
#include "faked.h"

int failed;

int main(void)
{
	records();
	sends();
	receives();
	receives_notify();
	notifies();
	copies();
	binds();
	unbinds_and_waits();
	processes();
	privileges();
	configuration();
	formats();
	return failed;
}

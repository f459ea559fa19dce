// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Runs the fuzz target once for each file named: for compilers without libFuzzer. */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

#define FILE_MAX	65536

int LLVMFuzzerTestOneInput(const dvs_u8 *data, dvs_size size);

int main(int argc, char **argv)
{
	static dvs_u8 buffer[FILE_MAX];
	int i;

	for (i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");

		if (!file) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		LLVMFuzzerTestOneInput(buffer, fread(buffer, 1, sizeof(buffer), file));
		fclose(file);
	}
	printf("%d inputs, nothing found\n", argc - 1);
	return EXIT_SUCCESS;
}

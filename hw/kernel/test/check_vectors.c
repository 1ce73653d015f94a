// SPDX-License-Identifier: GPL-2.0
/*
 * Userspace check: reads a file of lock transitions (lock, caller, operation, word before, result,
 * word after, instructions) and replays the sharex_hp host rows on the emulator's own source.
 * Prints the number of rows that held; exits with 1 at the first that did not.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint16_t u16;

static unsigned int instructions;
#define SHAREX_HP_COUNT() (instructions++)
#include "sharex_hp.h"

struct operation {
	const char *name;
	bool (*apply)(u16 *lock);
	const char *failure;
};

static const struct operation operations[] = {
	{ "acquire_shared", sharex_hp_acquire_shared, "busy" },
	{ "acquire_exclusive", sharex_hp_acquire_exclusive, "busy" },
	{ "promote", sharex_hp_promote, "busy" },
	{ "release_shared", sharex_hp_release_shared, "wrong" },
	{ "release_exclusive", sharex_hp_release_exclusive, "wrong" },
};

static const struct operation *find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		if (!strcmp(operations[i].name, name))
			return &operations[i];
	return NULL;
}

static bool holds(const char *name, u16 before, const char *result, u16 after, unsigned int count)
{
	const struct operation *op = find(name);
	u16 word = before;
	const char *got;

	if (!op)
		return false;
	instructions = 0;
	got = op->apply(&word) ? "ok" : op->failure;
	return !strcmp(got, result) && word == after && instructions == count;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	char line[256], lock[32], caller[32], operation[32], result[32];
	unsigned int before, after, count, rows = 0;

	if (!file) {
		fprintf(stderr, "usage: check_vectors FILE\n");
		return 2;
	}
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%31s %31s %31s %x %31s %x %u", lock, caller, operation, &before,
			   result, &after, &count) != 7)
			continue;
		if (strcmp(lock, "sharex_hp") || strcmp(caller, "host"))
			continue;
		if (!holds(operation, before, result, after, count)) {
			fprintf(stderr, "does not hold: %s", line);
			return 1;
		}
		rows++;
	}
	fclose(file);
	printf("%u\n", rows);
	return 0;
}

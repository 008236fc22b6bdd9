/* Numbered records with checksums on a disk: written in the guest with an fsync after every few, each acknowledged on the
 * standard output; and looked for on the host.
 *
 *     records write DEVICE SEED
 *     records verify FILE SEED ACKNOWLEDGED     ends with 0 where each record up to ACKNOWLEDGED is there
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { slot_bytes = 16384, sector = 512, most_at_once = 8 };

struct record {
    uint64_t magic, seed, number, bytes, checksum;
};
static const uint64_t magic = 0x7365636f72647321;

static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

static uint64_t checksum(const uint64_t* words, uint64_t bytes)
{
    uint64_t sum = bytes;
    for (uint64_t n = 0; n < bytes / 8; ++n)
        sum = mixed(sum + words[n] + n);
    return sum;
}

static uint64_t slots_of(int file)
{
    const off_t end = lseek(file, 0, SEEK_END);
    return end < 0 ? 0 : (uint64_t)end / slot_bytes;
}

/* Neighbours lie apart, so that writes are spread over tables and clusters. */
static off_t place(uint64_t number, uint64_t slots)
{
    return (off_t)(number * 1021 % slots * slot_bytes);
}

static uint64_t make(uint64_t* words, uint64_t seed, uint64_t number)
{
    struct record* const head = (struct record*)words;
    const uint64_t bytes = sector * (1 + mixed(seed + number) % (slot_bytes / sector));
    for (uint64_t n = 0; n < bytes / 8; ++n)
        words[n] = mixed(seed * 1000003 + number * 4099 + n);
    *head = (struct record){magic, seed, number, bytes, 0};
    head->checksum = checksum(words, bytes);
    return bytes;
}

static int write_records(int file, uint64_t seed, uint64_t slots)
{
    static uint64_t words[slot_bytes / 8];
    for (uint64_t number = 1, done = 0;;) {
        for (uint64_t more = 1 + mixed(number + seed) % most_at_once; more; --more, ++number) {
            const uint64_t bytes = make(words, seed, number);
            if (pwrite(file, words, bytes, place(number, slots)) != (ssize_t)bytes)
                return 1;
        }
        if (fsync(file) != 0)
            return 1;
        done = number - 1;
        printf("acknowledged %llu of %llu.\n", (unsigned long long)done, (unsigned long long)seed);
        fflush(stdout);
    }
}

/* What must lie in a slot is the last acknowledged record for it, unless one that was under way may have replaced it. */
static int verify(int file, uint64_t seed, uint64_t slots, uint64_t acknowledged)
{
    static uint64_t words[slot_bytes / 8];
    const struct record* const head = (struct record*)words;
    const uint64_t first = acknowledged > slots ? acknowledged - slots + 1 : 1;
    int missing = 0;
    for (uint64_t number = first; number <= acknowledged; ++number) {
        if (number + slots <= acknowledged + 2 * most_at_once)
            continue;
        static uint64_t expected[slot_bytes / 8];
        const uint64_t bytes = make(expected, seed, number);
        if (pread(file, words, bytes, place(number, slots)) != (ssize_t)bytes || memcmp(words, expected, bytes) != 0) {
            if (++missing <= 5)
                fprintf(stderr, "record %llu of %llu is not there; its place holds number %llu\n", (unsigned long long)number,
                    (unsigned long long)acknowledged, (unsigned long long)(head->magic == magic ? head->number : 0));
        }
    }
    return missing != 0;
}

int main(int argc, char** argv)
{
    const int writes = argc == 4 && strcmp(argv[1], "write") == 0;
    if (!writes && !(argc == 5 && strcmp(argv[1], "verify") == 0))
        return 2;
    const int file = open(argv[2], writes ? O_RDWR : O_RDONLY);
    const uint64_t seed = strtoull(argv[3], 0, 10), slots = file < 0 ? 0 : slots_of(file);
    if (!slots) {
        perror(argv[2]);
        return 2;
    }
    return writes ? write_records(file, seed, slots) : verify(file, seed, slots, strtoull(argv[4], 0, 10));
}

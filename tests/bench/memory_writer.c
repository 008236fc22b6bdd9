/* Runs inside the guest of tests/bench/run snapshot: writes MIB_PER_SECOND through BUFFER_MIB of memory over and over, 4 KiB
 * pages in turn, in slices of 10 ms, and says each second what it managed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char** argv)
{
    if (argc != 3)
        return 2;
    const size_t rate = strtoul(argv[1], 0, 10) << 20, size = strtoul(argv[2], 0, 10) << 20, page = 4096;
    char* const buffer = aligned_alloc(page, size);
    if (!rate || !size || !buffer)
        return 2;
    size_t at = 0, written = 0, since_report = 0;
    unsigned char value = 1;
    const int64_t began = nanoseconds();
    int64_t reported = began;
    for (;;) {
        const int64_t now = nanoseconds();
        /* After a stop it goes on at its pace and doesn't catch up for more than a slice. */
        size_t due = (size_t)((double)(now - began) / 1e9 * (double)rate);
        if (due > written + rate / 50)
            written = due - rate / 50;
        for (; written + page <= due; written += page, since_report += page) {
            memset(buffer + at, value, page);
            at += page;
            if (at == size) {
                at = 0;
                ++value;
            }
        }
        if (now - reported >= 1000000000) {
            printf("writer: %.0f MiB/s\n", (double)since_report / 1048576 / ((double)(now - reported) / 1e9));
            fflush(stdout);
            reported = now;
            since_report = 0;
        }
        const struct timespec slice = {0, 10000000};
        nanosleep(&slice, 0);
    }
}

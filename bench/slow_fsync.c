/* Preloaded into PostgreSQL: every fsync and fdatasync takes DELAY_MICROSECONDS longer.
 * A stand-in for a disk that really has to reach its platters or its cloud. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

#ifndef DELAY_MICROSECONDS
#define DELAY_MICROSECONDS 5000
#endif

static void delay(void)
{
    struct timespec left = {.tv_sec = 0, .tv_nsec = DELAY_MICROSECONDS * 1000L};
    while (nanosleep(&left, &left) != 0)
        ;
}

int fsync(int descriptor)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    delay();
    return real(descriptor);
}

int fdatasync(int descriptor)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    delay();
    return real(descriptor);
}

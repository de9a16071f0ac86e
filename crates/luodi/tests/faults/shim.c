/* Loaded into the server by the tests of `faults`: makes its disk fail at a chosen operation, and
 * its wall clock say another time.
 *
 * LUODI_FAULTS names a file of six 64-bit numbers that the test writes and this maps:
 *   0  milliseconds the wall clock is ahead
 *   1  operations counted so far, on files under LUODI_FAULTS_UNDER
 *   2  the first operation that fails, counted from 0
 *   3  how many fail from there on; 0 for none
 *   4  the errno they fail with
 *   5  which are counted: 1 writes, 2 syncs, 4 files made; 8 lets half of the first one through
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WRITES = 1, SYNCS = 2, MAKES = 4, TORN = 8 };

static volatile int64_t *control;
static char under[PATH_MAX];

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("LUODI_FAULTS"), *folder = getenv("LUODI_FAULTS_UNDER");
  if (!file || !folder || !realpath(folder, under)) return;
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *map = mmap(NULL, 6 * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (map != MAP_FAILED) control = map;
}

static int is_under(const char *path) {
  return strncmp(path, under, strlen(under)) == 0;
}

/* Whether an operation of this kind fails; sets errno then. The first is 2. */
static int fails(int kind) {
  if (!(control[5] & kind)) return 0;
  int64_t at = __sync_fetch_and_add(&control[1], 1);
  if (control[3] == 0 || at < control[2] || at - control[2] >= control[3]) return 0;
  errno = (int)control[4];
  return at == control[2] ? 2 : 1;
}

static int fails_at(int fd, int kind) {
  char link[64], path[PATH_MAX];
  if (!control || !(control[5] & kind)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_under(path) ? fails(kind) : 0;
}

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* What is written all the same of a write that fails. */
static size_t torn(int failing, size_t count) {
  return failing == 2 && (control[5] & TORN) ? count / 2 : 0;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  REAL(write);
  int failing = fails_at(fd, WRITES);
  if (!failing) return real(fd, bytes, count);
  size_t half = torn(failing, count);
  return half ? real(fd, bytes, half) : -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  REAL(pwrite);
  int failing = fails_at(fd, WRITES);
  if (!failing) return real(fd, bytes, count, at);
  size_t half = torn(failing, count);
  return half ? real(fd, bytes, half, at) : -1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  REAL(pwrite64);
  int failing = fails_at(fd, WRITES);
  if (!failing) return real(fd, bytes, count, at);
  size_t half = torn(failing, count);
  return half ? real(fd, bytes, half, at) : -1;
}

int ftruncate(int fd, off_t length) {
  REAL(ftruncate);
  return fails_at(fd, WRITES) ? -1 : real(fd, length);
}

int ftruncate64(int fd, off64_t length) {
  REAL(ftruncate64);
  return fails_at(fd, WRITES) ? -1 : real(fd, length);
}

int fsync(int fd) {
  REAL(fsync);
  return fails_at(fd, SYNCS) ? -1 : real(fd);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  return fails_at(fd, SYNCS) ? -1 : real(fd);
}

static int refuses_new(const char *path, int flags) {
  return control && (flags & O_CREAT) && (control[5] & MAKES) && is_under(path) &&
         access(path, F_OK) != 0 && fails(MAKES);
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    va_list more; \
    va_start(more, flags); \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0; \
    va_end(more); \
    return refuses_new(path, flags) ? -1 : real(path, flags, mode); \
  }

OPEN(open)
OPEN(open64)

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  if (control && is_under(path) && access(path, F_OK) != 0 && fails(MAKES)) return -1;
  return real(path, mode);
}

int clock_gettime(clockid_t which, struct timespec *time) {
  REAL(clock_gettime);
  int failed = real(which, time);
  if (!failed && control && which == CLOCK_REALTIME) {
    int64_t shift = control[0], seconds = shift / 1000;
    int64_t rest = time->tv_nsec + (shift - seconds * 1000) * 1000000;
    time->tv_sec += seconds + (rest < 0 ? -1 : rest / 1000000000);
    time->tv_nsec = rest < 0 ? rest + 1000000000 : rest % 1000000000;
  }
  return failed;
}

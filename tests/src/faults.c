/* Counts the steps by which a program changes files below one folder, and makes one of them go wrong.
 *
 * Loaded into the unmodified program by LD_PRELOAD. A step is a call that creates, writes, makes durable, names or removes something. They are
 * counted across all threads, in the order in which they are begun.
 *
 *   FAULTS_UNDER    the folder, absolute and without links
 *   FAULTS_LOG      a line for each step: number, call, path; and one more, `fault`, where it goes wrong
 *   FAULTS_AT       the number of the step that goes wrong, from 1; 0 for none
 *   FAULTS_DO       kill | torn | stop | the number of an error
 *   FAULTS_LASTING  1: so does every later one (errors only)
 *   FAULTS_READS    1: reading is a step, and nothing else is
 *
 * The calls themselves are made past the C library, so that nothing has to be looked up and nothing can recurse.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *under;
static size_t under_length;
static int log_file = -1;
static long at, lasting, reads, error;
static enum { NONE, KILL, TORN, STOP, FAIL } fault;
static atomic_long steps;

__attribute__((constructor)) static void begin(void) {
    const char *what = getenv("FAULTS_DO"), *number = getenv("FAULTS_AT"), *file = getenv("FAULTS_LOG");
    under = getenv("FAULTS_UNDER");
    if (!under || !file) return;
    under_length = strlen(under);
    log_file = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    at = number ? atol(number) : 0;
    lasting = getenv("FAULTS_LASTING") != NULL;
    reads = getenv("FAULTS_READS") != NULL;
    if (!what || !at) return;
    fault = !strcmp(what, "kill") ? KILL : !strcmp(what, "torn") ? TORN : !strcmp(what, "stop") ? STOP : FAIL;
    error = fault == FAIL ? atol(what) : 0;
}

static void note(long number, const char *call, const char *path) {
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
    if (length > 0) syscall(SYS_write, log_file, line, (size_t)length);
}

/* The path of an open file or folder; empty if it has none. */
static void path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
}

/* A path made absolute. */
static void absolute(int folder, const char *name, char *path) {
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    char base[PATH_MAX] = "";
    if (folder != AT_FDCWD) path_of(folder, base);
    else if (syscall(SYS_getcwd, base, sizeof base) < 0) base[0] = 0;
    size_t length = strlen(base);
    memcpy(path, base, length);
    snprintf(path + length, PATH_MAX - length, "/%s", name);
}

/* One step more, if it is below the folder. What it returns is the error that is to be had instead; for a write, `half` says that it is to be
 * torn: half of it written, and then killed. */
static long step(const char *call, const char *path, int *half) {
    if (log_file < 0 || reads != !strcmp(call, "read") || strncmp(path, under, under_length) || (path[under_length] && path[under_length] != '/')) return 0;
    long number = atomic_fetch_add(&steps, 1) + 1;
    note(number, call, path + under_length);
    if (fault == NONE || (number != at && !(lasting && fault == FAIL && number > at))) return 0;
    note(number, "fault", path + under_length);
    if (fault == FAIL) return error;
    if (fault == STOP) {
        kill(getpid(), SIGSTOP);
        return 0;
    }
    if (fault == TORN && half) {
        *half = 1;
        return 0;
    }
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static long failed(long why) {
    errno = (int)why;
    return -1;
}

/* A step on a path; and the call, if that is not to fail. */
#define AT(call, folder, name, made)                                                                                                                 \
    do {                                                                                                                                             \
        char path_[PATH_MAX];                                                                                                                        \
        absolute(folder, name, path_);                                                                                                               \
        long why_ = step(call, path_, NULL);                                                                                                         \
        return why_ ? failed(why_) : (made);                                                                                                         \
    } while (0)

static long written(const char *call, int file, const void *bytes, size_t length, long offset, int placed) {
    char path[PATH_MAX];
    int half = 0;
    path_of(file, path);
    long why = step(call, path, &half);
    if (why) return failed(why);
    long done = placed ? syscall(SYS_pwrite64, file, bytes, half ? length / 2 : length, offset)
                       : syscall(SYS_write, file, bytes, half ? length / 2 : length);
    if (half) kill(getpid(), SIGKILL);
    return done;
}

ssize_t write(int file, const void *bytes, size_t length) { return written("write", file, bytes, length, 0, 0); }
ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) { return written("write", file, bytes, length, offset, 1); }
ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t offset) { return written("write", file, bytes, length, offset, 1); }

ssize_t writev(int file, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    path_of(file, path);
    long why = step("write", path, NULL);
    return why ? failed(why) : syscall(SYS_writev, file, parts, count);
}

static ssize_t taken(int file, void *bytes, size_t length, long offset, int placed) {
    if (reads) {
        char path[PATH_MAX];
        path_of(file, path);
        long why = step("read", path, NULL);
        if (why) return failed(why);
    }
    return placed ? syscall(SYS_pread64, file, bytes, length, offset) : syscall(SYS_read, file, bytes, length);
}

ssize_t read(int file, void *bytes, size_t length) { return taken(file, bytes, length, 0, 0); }
ssize_t pread(int file, void *bytes, size_t length, off_t offset) { return taken(file, bytes, length, offset, 1); }
ssize_t pread64(int file, void *bytes, size_t length, off64_t offset) { return taken(file, bytes, length, offset, 1); }

static int synced(const char *call, long number, int file) {
    char path[PATH_MAX];
    path_of(file, path);
    long why = step(call, path, NULL);
    return (int)(why ? failed(why) : syscall(number, file));
}

int fsync(int file) { return synced("fsync", SYS_fsync, file); }
int fdatasync(int file) { return synced("fsync", SYS_fdatasync, file); }

static int cut(int file, off_t length) {
    char path[PATH_MAX];
    path_of(file, path);
    long why = step("truncate", path, NULL);
    return (int)(why ? failed(why) : syscall(SYS_ftruncate, file, length));
}

int ftruncate(int file, off_t length) { return cut(file, length); }
int ftruncate64(int file, off64_t length) { return cut(file, length); }

/* Only what makes or empties a file is a step. */
static int opened(int folder, const char *name, int flags, mode_t mode) {
    if (!(flags & (O_CREAT | O_TRUNC))) return (int)syscall(SYS_openat, folder, name, flags, mode);
    AT("create", folder, name, (int)syscall(SYS_openat, folder, name, flags, mode));
}

#define OPEN(name, parameters, folder)                                                                                                               \
    int name parameters {                                                                                                                            \
        mode_t mode = 0;                                                                                                                             \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                                                                                       \
            va_list rest;                                                                                                                            \
            va_start(rest, flags);                                                                                                                   \
            mode = va_arg(rest, mode_t);                                                                                                             \
            va_end(rest);                                                                                                                            \
        }                                                                                                                                            \
        return opened(folder, path, flags, mode);                                                                                                    \
    }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int folder, const char *path, int flags, ...), folder)
OPEN(openat64, (int folder, const char *path, int flags, ...), folder)

int linkat(int from, const char *old, int to, const char *new, int flags) { AT("link", to, new, (int)syscall(SYS_linkat, from, old, to, new, flags)); }
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int renameat(int from, const char *old, int to, const char *new) {
    AT("rename", to, new, (int)syscall(SYS_renameat2, from, old, to, new, 0));
}
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    AT("rename", to, new, (int)syscall(SYS_renameat2, from, old, to, new, flags));
}
int rename(const char *old, const char *new) { return renameat(AT_FDCWD, old, AT_FDCWD, new); }

int unlinkat(int folder, const char *name, int flags) { AT("remove", folder, name, (int)syscall(SYS_unlinkat, folder, name, flags)); }
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdirat(int folder, const char *name, mode_t mode) { AT("mkdir", folder, name, (int)syscall(SYS_mkdirat, folder, name, mode)); }
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int fchmodat(int folder, const char *name, mode_t mode, int flags) {
    (void)flags; /* The system call knows none. */
    AT("chmod", folder, name, (int)syscall(SYS_fchmodat, folder, name, mode));
}
int chmod(const char *name, mode_t mode) { return fchmodat(AT_FDCWD, name, mode, 0); }

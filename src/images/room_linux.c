#include "images/room.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int hst_room_new(uint64_t bytes)
{
    int fd = memfd_create("headstart", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)bytes) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

void *hst_room_map(int fd, uint64_t bytes, int is_written)
{
    void *p = mmap(NULL, (size_t)bytes, is_written ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
                   fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

void hst_room_unmap(void *p, uint64_t bytes)
{
    if (p)
        munmap(p, (size_t)bytes);
}

int hst_room_sockets(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

long hst_room_send(int fd, const void *p, size_t n)
{
    return send(fd, p, n, MSG_NOSIGNAL);
}

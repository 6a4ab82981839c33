/* room.h - memory and sockets that are shared with another process; by system: room_linux.c,
 * room_posix.c. Nothing here is inherited by programs that others start, as far as the system can
 * say so in one call. */
#ifndef HST_IMAGES_ROOM_H
#define HST_IMAGES_ROOM_H
#include <stddef.h>
#include <stdint.h>

/* A file without a name: bytes long, taking memory where it is written. -1 and errno on failure.
 * On Linux nobody can make it smaller or larger. */
int hst_room_new(uint64_t bytes);
/* Its bytes in this process's memory; NULL: it is to be reached by pread() and pwrite(), as there
 * is no address space for it, or as the other process could make it smaller, so that touching it
 * here would end the program. */
void *hst_room_map(int fd, uint64_t bytes, int is_written);
void hst_room_unmap(void *p, uint64_t bytes); /* NULL is fine */
/* Two ends of a stream that raise no SIGPIPE here. 0, or -1 and errno. */
int hst_room_sockets(int ends[2]);
/* send() without SIGPIPE. */
long hst_room_send(int fd, const void *p, size_t n);
#endif

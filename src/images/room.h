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
/* Two ends of a stream that raise no SIGPIPE here. 0, or -1 and errno. */
int hst_room_sockets(int ends[2]);
/* send() without SIGPIPE. */
long hst_room_send(int fd, const void *p, size_t n);
#endif

/* alone.c - part of the program that is one file (make static). SQLite and libcrypto can load
 * modules and look hosts up, which this program never has them do; the C library's functions for
 * that would need files of the system that the program was made on. The linker (--wrap) takes these
 * in their place, and they refuse. */
#include <netdb.h>
#include <stddef.h>

void *__wrap_dlopen(const char *file, int mode);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out);
void __wrap_freeaddrinfo(struct addrinfo *list);
struct hostent *__wrap_gethostbyname(const char *name);

void *__wrap_dlopen(const char *file, int mode)
{
    (void)file;
    (void)mode;
    return NULL;
}

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    (void)host;
    (void)service;
    (void)hints;
    *out = NULL;
    return EAI_FAIL;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

struct hostent *__wrap_gethostbyname(const char *name)
{
    (void)name;
    return NULL;
}

/* fake_decoder - stands in for headstart-decode and does what that must never do. HST_FAKE says
 * what. */
#include "images/decode_protocol.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void say(const void *p, size_t n)
{
    if (write(HST_DECODE_SOCKET, p, n) != (ssize_t)n)
        _exit(9);
}

static void behave(const char *how, hst_decode_answer *a)
{
    if (!strcmp(how, "crash")) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would catch it */
        raise(SIGSEGV);
    } else if (!strcmp(how, "exit"))
        _exit(0);
    else if (!strcmp(how, "hang"))
        pause();
    else if (!strcmp(how, "short"))
        a->w = 0;
    else if (!strcmp(how, "wide"))
        a->w = a->h = 0xffffffff;
    else if (!strcmp(how, "beyond"))
        a->w = a->h = 20000; /* more pixels than its memory has */
    else if (!strcmp(how, "orientation"))
        a->orientation = 9;
    else if (!strcmp(how, "status"))
        a->status = 77;
    else if (!strcmp(how, "larger"))
        a->status = HST_DECODE_TOO_LARGE; /* than it needs */
    else if (!strcmp(how, "always larger")) {
        a->status = HST_DECODE_TOO_LARGE;
        a->w = 17000;
        a->h = 10000;
    } else if (!strcmp(how, "text")) {
        a->status = HST_DECODE_REFUSED;
        memset(a->why, '\n', sizeof a->why);
    } else if (!strcmp(how, "shrink") && ftruncate(HST_DECODE_PIXELS, 0) == 0)
        _exit(8); /* it could: the parent must not be told pixels */
}

int main(void)
{
    const char *how = getenv("HST_FAKE");
    static hst_decode_hello hello = {.who = HST_DECODE_WHO};
    hst_decode_ask ask;
    if (!how || !strcmp(how, "mute"))
        return 0;
    if (!strcmp(how, "other version"))
        hello.who.version[0]++;
    if (!strcmp(how, "endless"))
        memset(&hello.sandbox, 'x', sizeof hello.sandbox);
    for (int f = 0; f < HST_FORMATS && !strncmp(how, "library", 7); f++)
        strcpy(hello.library[f], how);
    say(&hello, sizeof hello);
    while (read(HST_DECODE_SOCKET, &ask, sizeof ask) == (ssize_t)sizeof ask) {
        hst_decode_answer a = {.status = HST_DECODE_DONE, .w = 2, .h = 2, .orientation = 1};
        behave(how, &a);
        say(&a, sizeof a);
    }
    return 0;
}

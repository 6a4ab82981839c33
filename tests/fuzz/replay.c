/* replay - the corpus through a fuzzing entry point, without libFuzzer: every file of the folders
 * and every file named, each of exactly its length on the heap, so that sanitizers see an overrun.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        return 0;
    size_t n = (size_t)ftell(f);
    uint8_t *bytes = malloc(n ? n : 1);
    rewind(f);
    int whole = bytes && fread(bytes, 1, n, f) == n;
    fclose(f);
    printf("%s\n", path); /* where it crashes, the last line names the input */
    fflush(stdout);
    if (whole)
        LLVMFuzzerTestOneInput(bytes, n);
    free(bytes);
    return whole;
}

static int replay(const char *path)
{
    DIR *dir = opendir(path);
    int files = 0;
    if (!dir)
        return replay_file(path);
    for (struct dirent *e; (e = readdir(dir));) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.')
            files += replay_file(name);
    }
    closedir(dir);
    return files;
}

int main(int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++)
        files += replay(argv[i]);
    printf("%d inputs\n", files);
    return files ? 0 : 1;
}

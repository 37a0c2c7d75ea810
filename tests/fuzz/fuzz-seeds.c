/* Runs the fuzz target over the files on the command line, so that the seeds
 * are tests with every compiler. */
#include <glib.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char **argv)
{
    g_print("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++) {
        g_autofree char *data = NULL;
        g_autofree char *name = g_path_get_basename(argv[i]);
        g_autoptr(GError) error = NULL;
        gsize length;

        if (!g_file_get_contents(argv[i], &data, &length, &error)) {
            g_print("not ok %d - %s: %s\n", i, name, error->message);
            return 1;
        }
        LLVMFuzzerTestOneInput((const uint8_t *)data, length);
        g_print("ok %d - %s\n", i, name);
    }
    return 0;
}

/* bench.c - headstart bench: how fast this machine is, beside what it could be. */
#include "commands.h"
#include "json_result.h"

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"backbone", 'b', CLI_TEXT, AT(backbone), "NAME|FILE|FOLDER", "efficientnet_lite0",
     "Pretrained network (see headstart train --help)."},
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

static const double at_least_s = 3, giga = 1e-9;

/* Part of the limit that the network reaches. */
static double part(hst_rate images, hst_rate peak, double image_flops)
{
    return images.best * image_flops / peak.best;
}

static int print_json(cli_job *job, const hst_speed *s)
{
    const struct {
        const char *name;
        hst_rate rate;
        double unit;
    } rates[] = {{"peak_one_gflops", s->peak_one, giga},
                 {"peak_all_gflops", s->peak_all, giga},
                 {"copy_gb_s", s->copy, giga},
                 {"images_one_s", s->images_one, 1},
                 {"images_all_s", s->images_all, 1}};
    json_t *o = json_object();
    cli_json_set(&o, "kernels", cli_json_text(hst_cpu(job->ctx)));
    cli_json_set(&o, "threads", json_integer(s->threads));
    cli_json_set(&o, "backbone", cli_json_text(job->v.backbone));
    cli_json_set(&o, "image_gflop", json_real(s->image_flops * giga));
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        cli_json_set(&o, rates[i].name,
                     json_pack("{s:f, s:f}", "best", rates[i].rate.best * rates[i].unit, "median",
                               rates[i].rate.median * rates[i].unit));
    cli_json_set(&o, "part_of_peak_one",
                 json_real(part(s->images_one, s->peak_one, s->image_flops)));
    cli_json_set(&o, "part_of_peak_all",
                 json_real(part(s->images_all, s->peak_all, s->image_flops)));
    return cli_json_print(&job->out, o);
}

static void print_images(cli_out *out, const char *what, hst_rate images, double of_peak)
{
    cli_out_printf(out, "%-12s %7.1f images/s  (median %.1f, %.0f %% of the limit)\n", what,
                   images.best, images.median, 100 * of_peak);
}

static int print_text(cli_job *job, const hst_speed *s)
{
    cli_out *out = &job->out;
    cli_out_printf(out, "kernels      %s\n", hst_cpu(job->ctx));
    cli_out_printf(out, "limit        %7.1f GFLOP/s with one thread, %.1f with %d\n",
                   s->peak_one.best * giga, s->peak_all.best * giga, s->threads);
    cli_out_printf(out, "memory       %7.1f GB/s, reading and writing\n", s->copy.best * giga);
    print_images(out, "one thread", s->images_one,
                 part(s->images_one, s->peak_one, s->image_flops));
    print_images(out, "all threads", s->images_all,
                 part(s->images_all, s->peak_all, s->image_flops));
    return CLI_OK;
}

static int run(cli_job *job)
{
    hst_speed s = {.size = sizeof s};
    int status = cli_job_open(job);
    if (status)
        return status;
    hst_backbone *b = hst_backbone_open(job->ctx, job->v.backbone, &job->err);
    if (b && hst_speed_measure(job->ctx, b, at_least_s, &s, &job->err) == 0) {
        cli_display_close(&job->display);
        status = job->v.json ? print_json(job, &s) : print_text(job, &s);
    } else {
        cli_job_suggest(job, job->v.backbone);
        status = cli_job_fail(job);
    }
    hst_backbone_free(b);
    return status;
}

const cli_command cli_bench = {
    .name = "bench",
    .summary = "how fast this machine is",
    .usage = "[options]",
    .text = "Runs the network on made-up images for some seconds, beside the limits of\n"
            "this machine: multiply-adds that touch no memory, and copying. The best of\n"
            "several rounds counts; the median tells what to expect while others use the\n"
            "machine, too.",
    .examples = "headstart bench\n"
                "headstart bench --backbone my_mobilenet/ --threads 1 --json",
    .options = options,
    .run = run,
};

/* bench.c - headstart bench: how fast this machine is, beside what it could be. */
#include "commands.h"
#include "json_result.h"
#include "text.h"

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"backbone", 'b', CLI_TEXT, AT(backbone), "NAME|FILE|FOLDER", "efficientnet_lite0",
     "Pretrained network (see headstart train --help)."},
    CLI_BACKBONE_OPTIONS,
    {"steps", 0, CLI_FLAG, AT(steps), NULL, NULL, "Where the network's time goes, step by step."},
    CLI_PRECISION_OPTION("fp32|bf16|int8", ""),
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

static const double at_least_s = 3, giga = 1e-9;

/* Part of the limit that the network reaches. */
static double part(hst_rate images, hst_rate peak, double image_flops)
{
    return images.best * image_flops / peak.best;
}

typedef struct measured {
    hst_speed speed;
    hst_profile *profile; /* --steps; else NULL */
    const char *precision;
} measured;

static json_t *json_step(const hst_step_speed *s)
{
    return json_pack("{s:s, s:s, s:[iii], s:[iii], s:f, s:f, s:f, s:f, s:f, s:f}", "kind", s->kind,
                     "layer", s->layer, "in", s->in[0], s->in[1], s->in[2], "out", s->out[0],
                     s->out[1], s->out[2], "gflop", s->flops * giga, "weight_bytes",
                     s->weight_bytes, "best_s", s->best_s, "median_s", s->median_s, "arithmetic_s",
                     s->arithmetic_s, "data_s", s->data_s);
}

static int print_json(cli_job *job, const measured *m)
{
    const hst_speed *s = &m->speed;
    const struct {
        const char *name;
        hst_rate rate;
        double unit;
    } rates[] = {{"peak_one_gflops", s->peak_one, giga},
                 {"peak_all_gflops", s->peak_all, giga},
                 {"copy_gb_s", s->copy, giga},
                 {"images_one_s", s->images_one, 1},
                 {"images_all_s", s->images_all, 1}};
    json_t *o = json_object(), *steps = json_array();
    cli_json_set(&o, "kernels", cli_json_text(hst_cpu(job->ctx)));
    cli_json_set(&o, "precision", cli_json_text(m->precision));
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
    cli_json_set(&o, "rounds", json_integer(s->rounds));
    cli_json_set(&o, "rounds_shared", json_integer(s->rounds_shared));
    for (int i = 0; m->profile && hst_profile_at(m->profile, i); i++)
        cli_json_add(&steps, json_step(hst_profile_at(m->profile, i)));
    cli_json_set(&o, "steps", steps);
    return cli_json_print(&job->out, o);
}

static void print_images(cli_out *out, const char *what, hst_rate images, double of_peak)
{
    cli_out_printf(out, "%-12s %7.1f images/s  (median %.1f, %.0f %% of the limit)\n", what,
                   images.best, images.median, 100 * of_peak);
}

static void print_steps(cli_out *out, const hst_profile *p)
{
    enum { NAME_COLUMNS = 32 };
    const hst_step_speed *s;
    double all = 0;
    for (int i = 0; (s = hst_profile_at(p, i)); i++)
        all += s->best_s;
    cli_out_printf(out, "\n%-*s %-12s %8s %6s  %10s %5s\n", NAME_COLUMNS,
                   "one thread, step by step", "makes", "ms", "share", "arithmetic", "data");
    for (int i = 0; (s = hst_profile_at(p, i)); i++) {
        char name[4 * NAME_COLUMNS], made[48];
        cli_text_shorten(name, sizeof name, *s->layer ? s->layer : s->kind, NAME_COLUMNS);
        snprintf(made, sizeof made, "%dx%dx%d", s->out[0], s->out[1], s->out[2]);
        cli_out_printf(out, "%-*s %-12s %8.3f %4.0f %%  %8.0f %% %3.0f %%\n", NAME_COLUMNS, name,
                       made, 1000 * s->best_s, 100 * s->best_s / all,
                       100 * s->arithmetic_s / s->best_s, 100 * s->data_s / s->best_s);
    }
    cli_out_printf(out,
                   "arithmetic, data: the part of its time that a step would take were there only\n"
                   "its multiply-adds, or only its bytes to read and write once.\n");
}

static int print_text(cli_job *job, const measured *m)
{
    const hst_speed *s = &m->speed;
    cli_out *out = &job->out;
    cli_out_printf(out, "kernels      %s, products in %s\n", hst_cpu(job->ctx), m->precision);
    cli_out_printf(out, "limit        %7.1f GFLOP/s in fp32 with one thread, %.1f with %d\n",
                   s->peak_one.best * giga, s->peak_all.best * giga, s->threads);
    cli_out_printf(out, "memory       %7.1f GB/s, reading and writing\n", s->copy.best * giga);
    print_images(out, "one thread", s->images_one,
                 part(s->images_one, s->peak_one, s->image_flops));
    print_images(out, "all threads", s->images_all,
                 part(s->images_all, s->peak_all, s->image_flops));
    if (s->rounds_shared > 0)
        cli_out_printf(out,
                       "In %d of %d rounds somebody else ran on a processor core at the same "
                       "time%s.\n",
                       s->rounds_shared, s->rounds,
                       s->rounds - s->rounds_shared < 3 ? "" : ": left out");
    if (m->profile)
        print_steps(out, m->profile);
    return CLI_OK;
}

static int measure(cli_job *job, hst_backbone *b, measured *m)
{
    int rc = hst_backbone_calibrate(job->ctx, b, NULL, NULL, &job->err);
    rc = rc ? rc : hst_speed_measure(job->ctx, b, at_least_s, &m->speed, &job->err);
    if (rc == 0 && job->v.steps) {
        m->profile = hst_profile_measure(job->ctx, b, at_least_s, &job->err);
        rc = m->profile ? 0 : -1;
    }
    return rc;
}

static int run(cli_job *job)
{
    measured m = {.speed = {.size = sizeof m.speed}};
    int status = cli_job_open(job);
    if (status)
        return status;
    hst_backbone *b = cli_job_backbone(job, job->v.backbone);
    if (b && measure(job, b, &m) == 0) {
        cli_display_close(&job->display);
        m.precision = hst_backbone_describe(b)->precision;
        status = job->v.json ? print_json(job, &m) : print_text(job, &m);
    } else {
        status = cli_job_fail(job);
    }
    hst_profile_free(m.profile);
    hst_backbone_free(b);
    return status;
}

const cli_command cli_bench = {
    .name = "bench",
    .summary = "how fast this machine is",
    .usage = "[options]",
    .text = "Runs the network on made-up images for some seconds, beside the limits of\n"
            "this machine: multiply-adds that touch no memory, and copying. The best of\n"
            "several rounds counts; the median tells what to expect. Between rounds the\n"
            "processor cores are probed: on a virtual machine somebody else may run on one\n"
            "at the same time, unseen, and such rounds are left out.",
    .examples = "headstart bench --image-px 320x160\n"
                "headstart bench --backbone my_mobilenet/ --steps\n"
                "headstart bench --backbone my_mobilenet/ --threads 1 --json",
    .options = options,
    .run = run,
};

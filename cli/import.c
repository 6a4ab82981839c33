#include "import.h"
#include "json_result.h"
#include "text.h"

static json_t *triple(const double v[3])
{
    return json_pack("[fff]", v[0], v[1], v[2]);
}

static int print_json(cli_job *job, const hst_backbone_info *b)
{
    json_t *o = json_object();
    const int square = b->resize_width_px == b->resize_height_px;
    cli_json_set(&o, "format", cli_json_text(b->format));
    cli_json_set(&o, "producer", cli_json_text(b->producer));
    cli_json_set(&o, "family", cli_json_text(b->family));
    cli_json_set(&o, "width", json_real(b->width));
    cli_json_image_size(&o, b);
    cli_json_set(&o, "padding", cli_json_text(b->padding));
    cli_json_set(&o, "bn_epsilon", json_real(b->bn_epsilon));
    cli_json_set(&o, "pool", cli_json_text(b->pool));
    cli_json_set(&o, "patch_px", json_integer(b->patch_px));
    cli_json_set(&o, "blocks", json_integer(b->n_blocks));
    cli_json_set(&o, "token", json_integer(b->n_token));
    cli_json_set(&o, "n_features", json_integer(b->n_features));
    cli_json_set(&o, "parameters", json_integer((json_int_t)b->n_params));
    cli_json_set(&o, "scaling", cli_json_text(b->scaling));
    cli_json_set(&o, "mean", triple(b->mean));
    cli_json_set(&o, "std", triple(b->std));
    if (b->geometry[0]) {
        cli_json_set(&o, "geometry", cli_json_text(b->geometry));
        cli_json_set(&o, "interpolation", cli_json_text(b->interpolation));
        cli_json_set(&o, "resize_px", square ? json_integer(b->resize_px) : json_null());
        cli_json_set(&o, "resize_width_px", json_integer(b->resize_width_px));
        cli_json_set(&o, "resize_height_px", json_integer(b->resize_height_px));
    }
    cli_json_set(&o, "licence", cli_json_text(b->licence));
    cli_json_set(&o, "sha256", cli_json_text(b->sha256));
    return cli_json_print(&job->out, o);
}

static void put_scaling(cli_out *out, const hst_backbone_info *b)
{
    cli_out_printf(out, "%-12s%s%s(pixel - %g %g %g) / %g %g %g\n", "scaling", b->scaling,
                   b->scaling[0] ? ": " : "", b->mean[0], b->mean[1], b->mean[2], b->std[0],
                   b->std[1], b->std[2]);
}

/* What --prepare hub does. */
static void put_sizing(cli_out *out, const hst_backbone_info *b)
{
    char size[CLI_SIZE_TEXT];
    cli_text_size(b->resize_width_px, b->resize_height_px, size);
    if (b->resize_width_px != b->resize_height_px)
        cli_out_printf(out, "%-12sto cover %s, then the middle (%s, %s)\n", "hub", size,
                       b->geometry, b->interpolation);
    else if (b->resize_px)
        cli_out_printf(out, "%-12sshorter edge %d px, then the middle (%s, %s)\n", "hub",
                       b->resize_px, b->geometry, b->interpolation);
    else if (b->geometry[0])
        cli_out_printf(out, "%-12s%s, %s\n", "hub", b->geometry, b->interpolation);
}

static int print_text(cli_job *job, const hst_backbone_info *b)
{
    char producer[256], size[CLI_SIZE_TEXT];
    cli_out *out = &job->out;
    cli_text_clean(producer, sizeof producer, b->producer);
    cli_out_printf(out, "%-12s%s%s%s\n", "format", b->format, producer[0] ? ", by " : "", producer);
    cli_text_size(b->image_width_px, b->image_height_px, size);
    if (b->n_blocks) {
        cli_out_printf(out, "%-12s%s, %d block%s of %d\n", "network", b->family, b->n_blocks,
                       b->n_blocks == 1 ? "" : "s", b->n_token);
        cli_out_printf(out, "%-12s%s, patches of %d\n", "input", size, b->patch_px);
    } else {
        cli_out_printf(out, "%-12s%s, width %g\n", "network", b->family, b->width);
        cli_out_printf(out, "%-12s%s, padding %s\n", "input", size, b->padding);
    }
    put_scaling(out, b);
    put_sizing(out, b);
    cli_out_printf(out, "%-12s%g\n", "epsilon", b->bn_epsilon);
    cli_out_printf(out, "%-12s%llu\n", "parameters", (unsigned long long)b->n_params);
    cli_out_printf(out, "%-12s%d (%s)\n", "features", b->n_features, b->pool);
    if (b->licence[0])
        cli_out_printf(out, "%-12s%s\n", "licence", b->licence);
    cli_out_printf(out, "%-12s%s\n", "sha256", b->sha256);
    return CLI_OK;
}

int cli_import(cli_job *job)
{
    hst_backbone *backbone = cli_job_backbone(job, job->v.words[1]);
    if (!backbone)
        return cli_job_fail(job);
    cli_display_close(&job->display);
    const hst_backbone_info *b = hst_backbone_describe(backbone);
    int status = job->v.json ? print_json(job, b) : print_text(job, b);
    hst_backbone_free(backbone);
    return status;
}

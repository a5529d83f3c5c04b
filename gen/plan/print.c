// plan.c and plan.txt: the plan as C data, and as text for people.

#include "gen/plan/network.h"

static void
print_text(struct rx_text *out, const char *text)
{
    rx_text_add(out, "\"");
    for (; *text != '\0'; text++)
        rx_text_printf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    rx_text_add(out, "\"");
}

static void
print_tensors(const struct rx_plan *p, struct rx_text *out)
{
    rx_text_add(out, "// name, fixed, image and thread bytes, life, program, first and last step, "
                     "parts\n"
                     "static const struct rx_plan_tensor TENSOR[] = {\n");
    for (int i = 0; i < p->n_tensors; i++) {
        const struct rx_plan_tensor *t = &p->tensor[i];
        rx_text_add(out, "    {");
        print_text(out, t->name);
        rx_text_printf(out, ", %lld, %lld, %lld, %s, %d, %d, %d, %d},\n", (long long)t->fixed_bytes,
                       (long long)t->image_bytes, (long long)t->thread_bytes,
                       t->life == RX_LIFE_SESSION ? "RX_LIFE_SESSION" : "RX_LIFE_STEPS", t->program,
                       t->first, t->last, t->parts);
    }
    rx_text_add(out, "};\n\n");
}

static void
print_gemm(const struct rx_plan_gemm *g, struct rx_text *out)
{
    if (g->blocks == 0) {
        rx_text_add(out, "{0}");
        return;
    }
    rx_text_printf(out, "{%d, %d, %d, %d, %d, %d, %d, %d, %d, ", g->blocks, g->a, g->b, g->c,
                   g->bias, (int)g->type, (int)g->type_c, g->transpose_a, g->transpose_b);
    rx_text_printf(out, "%d, %d, %d, %d, %lld, %lld, %lld, %lld, %lld, %lld}", g->m, g->last_m,
                   g->n, g->k, (long long)g->lda, (long long)g->ldb, (long long)g->ldc,
                   (long long)g->stride_a, (long long)g->stride_c, (long long)g->clear_bytes);
}

static void
print_kernels(const struct rx_plan *p, struct rx_text *out)
{
    for (int i = 0; i < p->n_kernels; i++)
        if (p->kernel[i].block == 0)
            rx_text_printf(out, "extern rx_kernel_fn %s;\n", p->kernel[i].name);
    rx_text_add(out, "\n// name, operation, function, units (per image, fixed, divisor), "
                     "columns, scratch bytes, block, shared bytes, parts, flops and bytes,\n"
                     "// product\n"
                     "static const struct rx_plan_kernel KERNEL[] = {\n");
    for (int i = 0; i < p->n_kernels; i++) {
        const struct rx_plan_kernel *k = &p->kernel[i];
        rx_text_printf(
            out,
            "    {\"%s\", \"%s\", %s, %lld, %lld, %lld, %d, %lld, %d, %d, %d, %.17g, %.17g, %.17g, "
            "%.17g, ",
            k->name, k->op, k->block > 0 ? "0" : k->name, (long long)k->task_image,
            (long long)k->task_fixed, (long long)k->task_divisor, k->columns,
            (long long)k->scratch_bytes, k->block, k->shared_bytes, k->parts, k->flops_image,
            k->flops_fixed, k->bytes_image, k->bytes_fixed);
        print_gemm(&k->gemm, out);
        rx_text_add(out, "},\n");
    }
    rx_text_add(out, "};\n\n");
}

static void
print_steps(const struct rx_plan *p, struct rx_text *out)
{
    static const char *const name[RX_PROGRAMS] = {"TRAIN", "FOLD", "INFER"};
    rx_text_add(out, "// tensor, first byte\nstatic const struct rx_plan_arg ARG[] = {\n");
    for (int i = 0; i < p->n_args; i++)
        rx_text_printf(out, "    {%d, %lld},\n", p->arg[i].tensor,
                       (long long)p->arg[i].offset_bytes);
    rx_text_add(out, "};\n\n");
    for (int i = 0; i < RX_PROGRAMS; i++) {
        rx_text_printf(out,
                       "// kernel, first operand, operands, layer\n"
                       "static const struct rx_plan_step %s[] = {\n",
                       name[i]);
        for (int j = 0; j < p->program[i].n_steps; j++) {
            const struct rx_plan_step *s = &p->program[i].step[j];
            rx_text_printf(out, "    {%d, %d, %d, ", s->kernel, s->first_arg, s->n_args);
            print_text(out, s->label);
            rx_text_add(out, "},\n");
        }
        if (p->program[i].n_steps == 0)
            rx_text_add(out, "    {0, 0, 0, \"\"},\n");
        rx_text_add(out, "};\n\n");
    }
}

static void
print_geometry(const struct rx_geometry *g, struct rx_text *out)
{
    rx_text_printf(out, "{%d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d}", g->h, g->w, g->c, g->oh,
                   g->ow, g->k, g->groups, g->r, g->s, g->stride, g->pad);
}

static void
print_params(const struct rx_plan *p, struct rx_text *out)
{
    rx_text_add(out, "// name, kind, rank, file shape, slice, geometry, tensor, byte, gradient, "
                     "momentum\nstatic const struct rx_plan_param PARAM[] = {\n");
    for (int i = 0; i < p->n_params; i++) {
        const struct rx_plan_param *q = &p->param[i];
        rx_text_add(out, "    {");
        print_text(out, q->name);
        rx_text_printf(out, ", %d, %d, {%lld, %lld, %lld, %lld}, %d, %lld, %lld, ", (int)q->kind,
                       q->rank, (long long)q->file_shape[0], (long long)q->file_shape[1],
                       (long long)q->file_shape[2], (long long)q->file_shape[3], q->slice_dim,
                       (long long)q->slice_first, (long long)q->slice_count);
        print_geometry(&q->geometry, out);
        rx_text_printf(out, ", %d, %lld, %d, %d},\n", q->tensor, (long long)q->offset_bytes,
                       q->gradient, q->momentum);
    }
    rx_text_add(out, "};\n\n");
}

static void
print_doubles(const double *v, int n, struct rx_text *out)
{
    for (int i = 0; i < n; i++)
        rx_text_printf(out, "%s%.17g", i > 0 ? ", " : "", v[i]);
    rx_text_add(out, n > 0 ? "" : "0");
}

static void
print_recipe(const struct rx_recipe *r, struct rx_text *out)
{
    rx_text_add(out, "    .recipe = {\n        .data = ");
    print_text(out, r->data);
    rx_text_printf(out,
                   ",\n        .epochs = %d,\n        .batch = %d,\n        .lr = %.17g,\n"
                   "        .momentum = %.17g,\n        .wd = %.17g,\n        .nesterov = %d,\n"
                   "        .schedule = %d,\n        .n_milestones = %d,\n        .milestone = {",
                   r->epochs, r->batch, r->lr, r->momentum, r->wd, r->nesterov, (int)r->schedule,
                   r->n_milestones);
    for (int i = 0; i < r->n_milestones; i++)
        rx_text_printf(out, "%s%d", i > 0 ? ", " : "", r->milestone[i]);
    rx_text_printf(out,
                   "%s},\n        .gamma = %.17g,\n        .warmup_epochs = %.17g,\n"
                   "        .label_smoothing = %.17g,\n        .no_decay_bn = %d,\n"
                   "        .crop_pad = %d,\n        .flip = %d,\n        .n_mean = %d,\n"
                   "        .mean = {",
                   r->n_milestones > 0 ? "" : "0", r->gamma, r->warmup_epochs, r->label_smoothing,
                   r->no_decay_bn, r->crop_pad, r->flip, r->n_mean);
    print_doubles(r->mean, r->n_mean, out);
    rx_text_add(out, "},\n        .std = {");
    print_doubles(r->std, r->n_mean, out);
    rx_text_add(out, "},\n    },\n");
}

static void
print_head(const struct rx_plan *p, const char *hash, struct rx_text *out)
{
    rx_text_add(out, "const struct rx_plan rx_plan_data = {\n    .version = RX_PLAN_VERSION,\n"
                     "    .model = ");
    print_text(out, p->model);
    rx_text_printf(
        out,
        ",\n    .form = \"%s\",\n    .dtype = \"%s\",\n    .target = \"%s\",\n"
        "    .arch = \"%s\",\n    .hash = \"%s\",\n    .image_h = %d,\n"
        "    .image_w = %d,\n    .image_c = %d,\n    .classes = %d,\n    .min_pixels = %d,\n",
        p->form, p->dtype, p->target, p->arch, hash, p->image_h, p->image_w, p->image_c, p->classes,
        p->min_pixels);
    print_recipe(&p->recipe, out);
    rx_text_printf(out,
                   "    .n_tensors = %d,\n    .n_kernels = %d,\n    .n_args = %d,\n"
                   "    .n_params = %d,\n    .tensor = TENSOR,\n    .kernel = KERNEL,\n"
                   "    .arg = ARG,\n    .param = PARAM,\n    .hyper = %d,\n    .program = {\n",
                   p->n_tensors, p->n_kernels, p->n_args, p->n_params, p->hyper);
    static const char *const name[RX_PROGRAMS] = {"TRAIN", "FOLD", "INFER"};
    for (int i = 0; i < RX_PROGRAMS; i++) {
        const struct rx_plan_program *q = &p->program[i];
        rx_text_printf(out, "        {%d, %s, %d, %d, %d, %d, %d, %d},\n", q->n_steps, name[i],
                       q->input, q->labels, q->logits, q->loss, q->slice_steps, q->slice_images);
    }
    rx_text_add(out, "    },\n};\n\n");
}

void
rx_network_print_plan(const struct rx_network *net, struct rx_text *text)
{
    struct rx_text body = {0};
    print_kernels(&net->plan, &body);
    print_tensors(&net->plan, &body);
    print_steps(&net->plan, &body);
    print_params(&net->plan, &body);
    char hash[RX_HASH_CHARS];
    rx_hash_bytes(rx_text_str(&body), body.n, hash);
    rx_text_printf(text,
                   "// The plan of %s: which kernels run in which order on which memory.\n"
                   "//\n// Generated by rxgen -- do not edit.\n\n"
                   "#include \"runtime/plan.h\"\n#include \"runtime/program.h\"\n\n",
                   net->plan.model);
    rx_text_add_bytes(text, rx_text_str(&body), body.n);
    print_head(&net->plan, hash, text);
    rx_text_add(text, "int\nmain(int argc, char **argv)\n{\n"
                      "    return rx_program_main(&rx_plan_data, argc, argv);\n}\n");
    rx_text_close(&body);
}

void
rx_network_print_steps(const struct rx_network *net, struct rx_text *text)
{
    static const char *const name[RX_PROGRAMS] = {"train", "fold", "infer"};
    const struct rx_plan *p = &net->plan;
    for (int i = 0; i < RX_PROGRAMS; i++) {
        rx_text_printf(text, "%s: %d steps\n", name[i], p->program[i].n_steps);
        if (p->program[i].slice_steps > 0)
            rx_text_printf(text, "  the first %d on %d images at a time\n",
                           p->program[i].slice_steps, p->program[i].slice_images);
        for (int j = 0; j < p->program[i].n_steps; j++) {
            const struct rx_plan_step *s = &p->program[i].step[j];
            rx_text_printf(text, "  %4d %-28s %s", j, s->label, p->kernel[s->kernel].name);
            for (int k = 0; k < s->n_args; k++) {
                const struct rx_plan_arg *arg = &p->arg[s->first_arg + k];
                rx_text_printf(text, " %d", arg->tensor);
                if (arg->offset_bytes > 0)
                    rx_text_printf(text, "+%lld", (long long)arg->offset_bytes);
            }
            rx_text_add(text, "\n");
        }
    }
}

// The passes: what each gives, seen on the graphs and regions of a shipped model.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gen/front/front.h"
#include "gen/ir/build.h"
#include "gen/pass/region.h"
#include "runtime/base/memory.h"

struct unit {
    struct rx_graph g;
    struct rx_front_output front;
    struct rx_regions regions;
    struct rx_memory memory;
    struct rx_error error;
};

// A small network with every kind of block: 3 blocks, 4 groups, projections, stride 2.
static void
load(struct unit *u)
{
    static const struct rx_setting set[] = {
        {"depth", "11"}, {"cardinality", "4"}, {"width", "8"}, {"image", "16"}};
    *u = (struct unit){0};
    rx_graph_open(&u->g, "");
    u->front.graph = &u->g;
    const struct rx_front_input input = {
        .path = "models/resnext29_8x64d.lua", .lib = "models/lib", .setting = set, .n_settings = 4};
    assert_int_equal(rx_front_load(&input, &u->front, &u->error), RX_OK);
}

static void
run_with(struct unit *u, enum rx_form form, enum rx_mode mode, enum rx_gradients gradients,
         enum rx_dtype weights)
{
    load(u);
    rx_pass_form(&u->g, form);
    assert_null(rx_graph_verify(&u->g));
    if (mode == RX_MODE_TRAIN)
        rx_pass_grad(&u->g);
    assert_null(rx_graph_verify(&u->g));
    rx_pass_lower(&u->g, mode);
    assert_null(rx_graph_verify(&u->g));
    assert_int_equal(rx_pass_fuse(&u->g, mode, &u->regions, &u->error), RX_OK);
    rx_pass_layout(&u->g, mode, gradients, weights, &u->regions);
    rx_pass_memory(&u->g, mode, &u->regions, &u->memory);
}

static void
run(struct unit *u, enum rx_form form, enum rx_mode mode, enum rx_gradients gradients)
{
    run_with(u, form, mode, gradients, RX_F32);
}

static void
close_unit(struct unit *u)
{
    rx_regions_close(&u->regions);
    rx_graph_close(&u->g);
}

static int
count_nodes(const struct rx_graph *g, enum rx_op op)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        n += g->node[i].op == op;
    return n;
}

static int
count_regions(const struct unit *u, enum rx_problem_op op)
{
    int n = 0;
    for (int i = 0; i < u->regions.n; i++)
        n += u->regions.region[i].problem.op == op;
    return n;
}

// Convolutions: stem, 3 blocks of 3, 3 projections (64 to 256 channels, and two strides),
// classifier.
enum { BLOCKS = 3, GROUPS = 4, CONVS = 1 + 3 * BLOCKS + 3 + 1 };

static void
forms_keep_parameters_and_work(void **state)
{
    (void)state;
    struct unit c;
    load(&c);
    const int64_t params = rx_graph_param_count(&c.g), macs = rx_graph_macs(&c.g);
    assert_int_equal(count_nodes(&c.g, RX_OP_CONV), CONVS);
    close_unit(&c);
    for (int form = RX_FORM_A; form <= RX_FORM_B; form++) {
        struct unit u;
        load(&u);
        rx_pass_form(&u.g, (enum rx_form)form);
        assert_null(rx_graph_verify(&u.g));
        assert_int_equal(rx_graph_param_count(&u.g), params);
        assert_int_equal(rx_graph_macs(&u.g), macs);
        // (a) has G paths of three convolutions, (b) G paths of two and one for all.
        const int block = form == RX_FORM_A ? 3 * GROUPS : 2 * GROUPS + 1;
        assert_int_equal(count_nodes(&u.g, RX_OP_CONV), CONVS + BLOCKS * (block - 3));
        assert_int_equal(count_nodes(&u.g, RX_OP_CONCAT), form == RX_FORM_B ? BLOCKS : 0);
        for (int i = 0; i < u.g.n_nodes; i++)
            if (u.g.node[i].op == RX_OP_CONV)
                assert_int_equal(u.g.node[i].geometry.groups, 1);
        close_unit(&u);
    }
}

static void
grad_reaches_every_trained_parameter(void **state)
{
    (void)state;
    for (int form = RX_FORM_A; form <= RX_FORM_C; form++) {
        struct unit u;
        load(&u);
        rx_pass_form(&u.g, (enum rx_form)form);
        rx_pass_grad(&u.g);
        for (int i = 0; i < u.g.n_params; i++) {
            const struct rx_param *p = &u.g.param[i];
            const int trained = p->kind != RX_PARAM_RUNNING_MEAN && p->kind != RX_PARAM_RUNNING_VAR;
            assert_int_equal(p->gradient >= 0, trained);
        }
        // No data gradient of the images.
        assert_int_equal(count_nodes(&u.g, RX_OP_CONV_DGRAD) + 1,
                         count_nodes(&u.g, RX_OP_CONV_WGRAD));
        close_unit(&u);
    }
}

static void
training_needs_no_pointwise_kernel(void **state)
{
    (void)state;
    for (int form = RX_FORM_A; form <= RX_FORM_C; form++) {
        struct unit u;
        run(&u, (enum rx_form)form, RX_MODE_TRAIN, RX_GRADIENTS_UPDATE);
        assert_int_equal(count_regions(&u, RX_PROBLEM_MAP), 0);
        assert_int_equal(count_regions(&u, RX_PROBLEM_SGD), 2);
        assert_int_equal(count_regions(&u, RX_PROBLEM_REDUCE), 0);
        assert_int_equal(count_regions(&u, RX_PROBLEM_UPDATE),
                         count_regions(&u, RX_PROBLEM_CONV_WGRAD));
        assert_int_equal(count_regions(&u, RX_PROBLEM_TRANSPOSE),
                         count_regions(&u, RX_PROBLEM_CONV_DGRAD));
        close_unit(&u);
    }
}

// An update overwrites weights, so whatever reads them must stand before it; and the parts that it
// sums must have been made.
static void
updates_follow_the_last_use_of_weights(void **state)
{
    (void)state;
    for (int form = RX_FORM_A; form <= RX_FORM_C; form++) {
        struct unit u;
        run(&u, (enum rx_form)form, RX_MODE_TRAIN, RX_GRADIENTS_UPDATE);
        char *updated = rx_memory_alloc((size_t)u.g.n_params),
             *made = rx_memory_alloc((size_t)u.g.n_params);
        for (int i = 0; i < u.regions.n; i++) {
            const struct rx_region *r = &u.regions.region[i];
            for (int j = 0; j < r->problem.n_operands; j++) {
                const struct rx_tensor *t = &u.g.tensor[r->tensor[j]];
                if (r->problem.operand[j].kind == RX_OPERAND_WEIGHTS)
                    assert_false(updated[t->param]);
                if (t->kind != RX_TENSOR_WEIGHTS_PARTIAL)
                    continue;
                char *done = r->problem.op == RX_PROBLEM_UPDATE ? updated : made;
                assert_true(done == made || made[t->param]);
                done[t->param] = 1;
            }
        }
        for (int p = 0; p < u.g.n_params; p++)
            assert_int_equal(updated[p], u.g.param[p].kind == RX_PARAM_CONV_WEIGHT ||
                                             u.g.param[p].kind == RX_PARAM_FC_WEIGHT);
        free(updated);
        free(made);
        close_unit(&u);
    }
}

static void
gradients_are_stored_where_that_is_asked_for(void **state)
{
    (void)state;
    struct unit u;
    run(&u, RX_FORM_C, RX_MODE_TRAIN, RX_GRADIENTS_STORE);
    assert_int_equal(count_regions(&u, RX_PROBLEM_UPDATE), 0);
    assert_int_equal(count_regions(&u, RX_PROBLEM_SGD), 3);
    assert_int_equal(count_regions(&u, RX_PROBLEM_REDUCE),
                     count_regions(&u, RX_PROBLEM_CONV_WGRAD));
    close_unit(&u);
}

static void
evaluation_is_convolutions_and_pools(void **state)
{
    (void)state;
    struct unit u;
    run(&u, RX_FORM_C, RX_MODE_INFER, RX_GRADIENTS_UPDATE);
    assert_int_equal(count_regions(&u, RX_PROBLEM_CONV_FWD), CONVS);
    assert_int_equal(count_regions(&u, RX_PROBLEM_GAP), 1);
    assert_int_equal(count_regions(&u, RX_PROBLEM_BN_FOLD), CONVS - 1);
    assert_int_equal(u.regions.n, CONVS + 1 + CONVS - 1);
    close_unit(&u);
}

static int
has_step(const struct rx_chain *c, enum rx_step_op op)
{
    for (int i = 0; i < c->n; i++)
        if (c->step[i].op == op)
            return 1;
    return 0;
}

// The border of fusion in training: statistics ride on every convolution that a norm follows, its
// norm and ReLU in the next one's prologue, the join in the prologue of the next block's conv1.
static void
statistics_norm_and_join_ride_along(void **state)
{
    (void)state;
    struct unit u;
    run(&u, RX_FORM_C, RX_MODE_TRAIN, RX_GRADIENTS_UPDATE);
    for (int i = 0; i < u.regions.n; i++) {
        const struct rx_region *r = &u.regions.region[i];
        const struct rx_problem *p = &r->problem;
        if (p->op == RX_PROBLEM_CONV_FWD && strcmp(r->label, "fc") != 0)
            assert_true(has_step(&p->epilogue, RX_STEP_STATS));
        if (p->op == RX_PROBLEM_CONV_FWD && strcmp(r->label, "layer1.0.conv2") == 0)
            assert_true(has_step(&p->prologue[0], RX_STEP_RELU));
        if (p->op == RX_PROBLEM_CONV_FWD && strcmp(r->label, "layer2.0.conv1") == 0) {
            assert_true(has_step(&p->prologue[0], RX_STEP_STORE));
            assert_true(has_step(&p->prologue[0], RX_STEP_RELU));
        }
        if (p->op == RX_PROBLEM_CONV_DGRAD && strcmp(r->label, "layer2.0.conv3") == 0) {
            assert_true(has_step(&p->epilogue, RX_STEP_MASK));
            assert_true(has_step(&p->epilogue, RX_STEP_SUMS));
        }
    }
    close_unit(&u);
}

// Whatever a step reads was written before it in its program, and lives by then.
static void
lifetimes_cover_every_use(void **state)
{
    (void)state;
    struct unit u;
    run(&u, RX_FORM_B, RX_MODE_TRAIN, RX_GRADIENTS_UPDATE);
    for (int i = 0; i < u.regions.n; i++) {
        const struct rx_region *r = &u.regions.region[i];
        for (int j = 0; j < r->problem.n_operands; j++) {
            const int b = u.memory.buffer[rx_pass_storage(&u.g, r->tensor[j])];
            assert_in_range(b, 0, u.memory.n - 1);
            const struct rx_plan_tensor *t = &u.memory.tensor[b];
            assert_true(t->fixed_bytes + t->image_bytes + t->thread_bytes > 0);
            if (t->life == RX_LIFE_STEPS)
                assert_true(t->first <= i && i <= t->last);
        }
    }
    close_unit(&u);
}

static void
equal_models_print_equal(void **state)
{
    (void)state;
    struct rx_text text[2] = {0};
    for (int i = 0; i < 2; i++) {
        struct unit u;
        run(&u, RX_FORM_A, RX_MODE_TRAIN, RX_GRADIENTS_UPDATE);
        rx_regions_print(&u.g, &u.regions, &text[i]);
        close_unit(&u);
    }
    assert_true(text[0].n > 1000);
    assert_string_equal(rx_text_str(&text[0]), rx_text_str(&text[1]));
    rx_text_close(&text[0]);
    rx_text_close(&text[1]);
}

static int
conv_of(struct unit *u, const char *name, int x, int k)
{
    static const struct rx_where here = {"test", 1};
    const struct rx_conv_spec spec = {.k = k, .r = 1, .s = 1, .stride = 1, .groups = 1};
    int y = -1;
    assert_int_equal(rx_build_conv(&u->g, here, name, x, &spec, &y, &u->error), RX_OK);
    return y;
}

// Regions that write a map over one that they read: a sum that goes on in the same memory.
static int
sums_in_place(int read_again)
{
    static const struct rx_where here = {"test", 1};
    struct unit u = {0};
    int x, sum, y;
    rx_graph_open(&u.g, "net");
    assert_int_equal(rx_build_input(&u.g, here, 5, 5, 3, &x, &u.error), RX_OK);
    const int a = conv_of(&u, "a", x, 8);
    assert_int_equal(rx_build_add(&u.g, here, "sum", a, conv_of(&u, "b", x, 8), &sum, &u.error),
                     RX_OK);
    y = conv_of(&u, "c", sum, 8);
    if (read_again)
        assert_int_equal(rx_build_add(&u.g, here, "again", y, a, &y, &u.error), RX_OK);
    conv_of(&u, "d", y, 8);
    assert_int_equal(rx_pass_fuse(&u.g, RX_MODE_INFER, &u.regions, &u.error), RX_OK);
    int n = 0;
    for (int i = 0; i < u.regions.n; i++)
        for (int j = 0; j < u.regions.region[i].problem.n_operands; j++) {
            const struct rx_operand *o = &u.regions.region[i].problem.operand[j];
            n += o->kind == RX_OPERAND_MAP && o->access == (RX_READ | RX_WRITE);
        }
    close_unit(&u);
    return n;
}

static void
a_sum_takes_over_memory_that_nothing_else_reads(void **state)
{
    (void)state;
    assert_int_equal(sums_in_place(0), 1);
    // `a` is read by both sums: the first must not write over it, the second may be its last reader
    // but is not its only one.
    assert_int_equal(sums_in_place(1), 0);
}

// The region that writes a tensor last before region `i`; -1: none does.
static int
maker(const struct unit *u, int tensor, int i)
{
    for (i--; i >= 0; i--)
        for (int j = 0; j < u->regions.region[i].problem.n_operands; j++)
            if (u->regions.region[i].tensor[j] == tensor &&
                u->regions.region[i].problem.operand[j].access & RX_WRITE)
                return i;
    return -1;
}

// Dense convolutions alone multiply bf16, with weights that a region before them has made pairs of:
// in training right before, in evaluation once, when weights are folded.
static void
check_products(const struct unit *u, int is_training)
{
    for (int i = 0; i < u->regions.n; i++) {
        const struct rx_region *r = &u->regions.region[i];
        const int convolution = r->problem.op <= RX_PROBLEM_CONV_WGRAD;
        const int dense = r->problem.geometry.groups == 1;
        if (convolution)
            assert_int_equal(r->problem.products, dense ? RX_BF16 : RX_F32);
        for (int j = 0; j < r->problem.n_operands; j++) {
            const enum rx_operand_kind kind = r->problem.operand[j].kind;
            const int reads = kind == RX_OPERAND_WEIGHTS || kind == RX_OPERAND_WEIGHTS_DGRAD;
            if (!convolution || !reads)
                continue;
            assert_int_equal(r->problem.operand[j].dtype, dense ? RX_BF16X2 : RX_F32);
            if (!dense)
                continue;
            const int made = maker(u, r->tensor[j], i);
            const struct rx_region *from = &u->regions.region[made];
            assert_int_equal(made, i - 1);
            assert_int_equal(from->problem.op,
                             kind == RX_OPERAND_WEIGHTS ? RX_PROBLEM_PACK : RX_PROBLEM_TRANSPOSE);
            assert_int_equal(from->program, is_training ? RX_PROGRAM_TRAIN : RX_PROGRAM_FOLD);
            const struct rx_plan_tensor *t = &u->memory.tensor[u->memory.buffer[r->tensor[j]]];
            assert_int_equal(t->life, is_training ? RX_LIFE_STEPS : RX_LIFE_SESSION);
            assert_int_equal(t->fixed_bytes, 4 * r->problem.operand[j].c);
        }
    }
}

static void
dense_convolutions_multiply_pairs_where_asked(void **state)
{
    (void)state;
    for (int form = RX_FORM_A; form <= RX_FORM_C; form++) {
        struct unit train, infer;
        run_with(&train, (enum rx_form)form, RX_MODE_TRAIN, RX_GRADIENTS_UPDATE, RX_BF16X2);
        check_products(&train, 1);
        close_unit(&train);
        run_with(&infer, (enum rx_form)form, RX_MODE_INFER, RX_GRADIENTS_UPDATE, RX_BF16X2);
        check_products(&infer, 0);
        close_unit(&infer);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_convolutions_multiply_pairs_where_asked),
        cmocka_unit_test(forms_keep_parameters_and_work),
        cmocka_unit_test(grad_reaches_every_trained_parameter),
        cmocka_unit_test(training_needs_no_pointwise_kernel),
        cmocka_unit_test(updates_follow_the_last_use_of_weights),
        cmocka_unit_test(gradients_are_stored_where_that_is_asked_for),
        cmocka_unit_test(evaluation_is_convolutions_and_pools),
        cmocka_unit_test(statistics_norm_and_join_ride_along),
        cmocka_unit_test(lifetimes_cover_every_use),
        cmocka_unit_test(equal_models_print_equal),
        cmocka_unit_test(a_sum_takes_over_memory_that_nothing_else_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

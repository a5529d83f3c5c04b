// The run folder: config.json, metrics.jsonl (the one live log), summary.csv, checkpoints.
#ifndef RX_RUN_H
#define RX_RUN_H

#include <jansson.h>
#include <stdio.h>

#include "runtime/options.h"

enum { RX_RUN_PATH = 4096 };

struct rx_run {
    char folder[RX_RUN_PATH];
    int is_numbered;  // 1: `folder` is where the next free number is to be made
    int prints;       // 1: lines go to stdout too
    FILE *metrics;
};

// Where the run goes: --run, --resume's folder, or the next out/<model>/runs/NNN beside the
// program. Makes nothing. RX_USER if a run is there already (and is not resumed), or none to
// resume.
int
rx_run_find(struct rx_run *run, const struct rx_settings *settings, struct rx_error *error);

// Makes the folder, writes config.json, and opens metrics.jsonl: empty, or cut back to the lines up
// to `step` when resuming. What an earlier, unfinished run left there goes.
int
rx_run_open(struct rx_run *run, const struct rx_plan *plan, const struct rx_settings *settings,
            int64_t step, struct rx_error *error);
void
rx_run_close(struct rx_run *run);

// A path in the folder; valid until the next call with the same buffer.
const char *
rx_run_path(const struct rx_run *run, const char *name, char buffer[RX_RUN_PATH]);

// Appends a line to metrics.jsonl, and to stdout with --progress json. Takes the object.
int
rx_run_log(struct rx_run *run, json_t *line, struct rx_error *error);

// Makes the lines so far durable: a checkpoint must not know of steps that the log has lost.
int
rx_run_sync(struct rx_run *run, struct rx_error *error);

// Writes summary.csv anew from metrics.jsonl: a row an evaluation.
int
rx_run_summarise(const struct rx_run *run, struct rx_error *error);

#endif

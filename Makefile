# rxgen: `make help` lists what can be made.
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash
.DEFAULT_GOAL := all

BUILD ?= out/build
Q := $(if $(V),,@)
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
STRICT := -std=gnu11 -Wall -Wextra -Wconversion -Wshadow -Werror
CPPFLAGS += -I. -I/usr/include/lua5.4 -D_GNU_SOURCE
LIBS_RUNTIME := -l:libjansson.a -l:libz.a -lpthread -lm
LIBS_GEN := -l:liblua5.4.a -l:libjansson.a -lpthread -ldl -lm

BASE_SRC := $(wildcard runtime/base/*.c)
RUNTIME_SRC := $(wildcard runtime/*.c runtime/cpu/*.c runtime/data/*.c)
GEN_SRC := $(filter-out gen/main.c,$(wildcard gen/*.c gen/*/*.c gen/*/*/*.c))
SUPPORT_SRC := $(wildcard tests/support/*.c)
TEST_SRC := $(wildcard tests/test_*.c)
LONG_SRC := $(wildcard tests/long/test_*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIBS := $(BUILD)/librxgen.a $(BUILD)/librxruntime.a
TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TEST_SRC))
# Kernel cases are the same in both, with a few configs of each or with all; on the emulated device
# each of these under five orders of threads.
CUDA_KERNEL_SRC := $(patsubst %,tests/test_cuda_%.c,simple conv grouped)
LONG_TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(LONG_SRC) $(CUDA_KERNEL_SRC) \
	$(wildcard tests/test_kernels_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))

.PHONY: all build deps demo test test-long test-asan build-tests fuzz fuzzers gold lint install
.PHONY: bench-scaling
.PHONY: build-long-tests bench bench-kernels bench-forms bench-peers bench-compile bench-sass clean
.PHONY: help

# --- what is built ---

all: build
	@echo "rxgen is built. What to do next:"
	@echo "  make demo                              train and evaluate on Fashion-MNIST, a few minutes"
	@echo "  ./rxgen models/resnext50_32x4d.lua     write and compile the kernels of another network"

build: rxgen

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "cc  $<"
	$(Q)$(CC) $(STRICT) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/librxruntime.a: $(call obj,$(BASE_SRC) $(RUNTIME_SRC))
	@echo "ar  $@"
	$(Q)rm -f $@ && ar rcsD $@ $^
# What takes the place of runtime/cpu in programs whose kernels run on a CUDA device.
$(BUILD)/librxcuda.a: $(call obj,$(wildcard runtime/cuda/*.c))
	@echo "ar  $@"
	$(Q)rm -f $@ && ar rcsD $@ $^
$(BUILD)/librxgen.a: $(call obj,$(GEN_SRC))
	@echo "ar  $@"
	$(Q)rm -f $@ && ar rcsD $@ $^

# Tests run the generator of their own build, so that a sanitised one links the sanitised runtime.
$(BUILD)/rxgen: $(call obj,gen/main.c) $(LIBS) $(BUILD)/librxcuda.a
	@echo "ld  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out %/librxcuda.a,$^) $(LIBS_GEN)
rxgen: $(BUILD)/rxgen
	$(Q)cp -f $< $@

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(call obj,$(SUPPORT_SRC)) $(LIBS)
	@mkdir -p $(@D)
	@echo "ld  $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -rdynamic -o $@ $^ -lcmocka $(LIBS_GEN) $(LIBS_RUNTIME)

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(LIBS)
	@mkdir -p $(@D)
	@echo "ld  $@"
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS_GEN) $(LIBS_RUNTIME)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# --- what is done with it ---

deps:
	@tests/deps.sh

# A sub-make builds, because `deps` may just have installed the compiler and the headers.
JOBS ?= $(shell nproc)
submake = $(MAKE) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

DEMO_GOAL ?= 0.90
demo: deps
	@$(submake) build
	./rxgen models/fashion_resnext.lua
	@out/train
	@run=$$(ls -d out/fashion_resnext/runs/*/ | sort | tail -n 1) && run=$${run%/} && \
		weights=$$run/best.safetensors && \
		out/eval --weights $$weights && \
		echo "checkpoint: $$run/last.safetensors" && echo "weights:    $$weights" && \
		echo "metrics:    $$run/metrics.jsonl, $$run/summary.csv" && \
		awk -v goal=$(DEMO_GOAL) -f tests/goal.awk $$run/metrics.jsonl

build-tests: $(BUILD)/rxgen $(TESTS)
build-long-tests: $(BUILD)/rxgen $(LONG_TESTS)

# Tests find the generator by RXGEN, check every graph, and have a cache that is not the user's.
test_env = RXGEN=$(BUILD)/rxgen RXGEN_VERIFY=1 RXGEN_CACHE_DIR=$(abspath $(BUILD))/cache

# The longest ones first, so that none of them runs alone in the end.
SLOW_TESTS := $(filter %_kernels_conv %_train %_gradients %_cuda_conv %_faults,$(TESTS))

test: deps
	@$(submake) build-tests emu
	@$(test_env) tests/run.sh $(SLOW_TESTS) $(filter-out $(SLOW_TESTS),$(TESTS))

test-long: deps
	@tests/deps.sh long
	@$(submake) build-long-tests emu
	@$(test_env) RXGEN_TEST_CONFIGS=all TEST_TIMEOUT=$${TEST_TIMEOUT:-3600} \
		tests/run.sh $(LONG_TESTS)

# The same tests, generator, runtime and emitted kernels under the sanitisers. Warnings are not
# errors there: instrumented code confuses some of gcc's.
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-error
test-asan: export RXGEN_CFLAGS = $(ASAN)
test-asan: export TEST_TIMEOUT ?= 1800
test-asan:
	@$(MAKE) test BUILD=out/build-asan CFLAGS="-O1 -g $(ASAN)"

fuzzers: $(FUZZERS)
FUZZ_SECONDS ?= 60
FUZZ := -fsanitize=fuzzer-no-link,address -fno-omit-frame-pointer -Wno-error
fuzz:
	@tests/deps.sh fuzz
	@$(submake) fuzzers BUILD=out/build-fuzz CC=clang CFLAGS="-O1 -g $(FUZZ)"
	@for name in $(notdir $(basename $(FUZZ_SRC))); do \
		corpus=out/build-fuzz/corpus/$$name && mkdir -p $$corpus && \
		out/build-fuzz/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -timeout=10 -verbosity=0 \
			-print_final_stats=1 -artifact_prefix=out/build-fuzz/ $$corpus \
			$$(ls -d tests/fuzz/$$name 2>/dev/null) || exit 1; \
	done

gold: deps
	@$(submake) build
	@tests/gold.sh

lint:
	@tests/deps.sh lint
	@tests/lint.sh

SHARE := $(DESTDIR)$(PREFIX)/share/rxgen
install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)
	install -m 755 rxgen $(DESTDIR)$(PREFIX)/bin/rxgen
	install -m 644 $(BUILD)/librxruntime.a $(BUILD)/librxcuda.a $(SHARE)/
	find templates models runtime -type f ! -path 'runtime/*.c' | while read -r file; do \
		install -D -m 644 "$$file" "$(SHARE)/$$file"; done

# --- how fast it is: bench/README.md ---

bench-kernels bench-forms bench-compile bench-scaling: deps
	@$(submake) build
	@python3 bench/$(@:bench-%=%).py

bench-sass: deps
	@$(submake) build emu
	@python3 bench/sass/run.py

bench-peers:
	@tests/deps.sh peers
	@$(submake) build
	@python3 bench/peers.py

bench: bench-kernels bench-forms

# --- the emulated CUDA device: tests/emu ---

CUDA_HOME ?= /usr/local/cuda
EMU := out/emu
EMU_SRC := $(wildcard tests/emu/*.cpp)
EMU_FLAGS := -std=c++17 -O2 -g -Wall -Wextra -Werror -fPIC -shared -isystem $(CUDA_HOME)/include
EMU_LIBS := $(EMU)/librxemu.so $(patsubst %,$(EMU)/lib%.so.13,cudart nvrtc cublas)

.PHONY: emu
HAVE_EMU := $(and $(wildcard $(CUDA_HOME)/include/nvrtc.h),$(shell command -v g++))
emu: $(if $(HAVE_EMU),$(EMU_LIBS) $(EMU)/kernel.h)
	@[ -n "$^" ] || echo "make emu: no g++, or no CUDA toolkit in $(CUDA_HOME): no device"

$(EMU)/kernel.h: tests/emu/kernel.h
	@mkdir -p $(@D) && cp $< $@
$(EMU)/librxemu.so: $(EMU_SRC) $(wildcard tests/emu/*.h)
	@mkdir -p $(@D) && echo "c++ $@"
	$(Q)g++ $(EMU_FLAGS) -fno-semantic-interposition $(EMU_SRC) -o $@ -Wl,-soname,$(@F) \
		-Wl,-Bsymbolic-functions -ldl
$(EMU)/libcudart.so.13: $(filter-out %/nvrtc.cpp %/cublas.cpp,$(wildcard tests/emu/shim/*.cpp))
# Compiled kernels are known by the bytes of their compiler, so these say what they were made with.
$(EMU)/libnvrtc.so.13: EMU_FLAGS += -DEMU_BUILD='"$(shell cat tests/emu/kernel.h | sha1sum)"'
$(EMU)/libnvrtc.so.13: tests/emu/shim/nvrtc.cpp
$(EMU)/libcublas.so.13: tests/emu/shim/cublas.cpp $(EMU)/libcudart.so.13
$(EMU)/lib%.so.13: tests/emu/shim/shim.h $(EMU)/librxemu.so
	@echo "c++ $@"
	$(Q)g++ $(EMU_FLAGS) -fvisibility=hidden $(filter %.cpp,$^) -o $@ -Wl,-soname,$(@F) \
		-L$(EMU) -lrxemu $(patsubst $(EMU)/%,-l:%,$(filter %.13,$^)) -Wl,-rpath,'$$ORIGIN' -ldl

.PHONY: cuda-gate
cuda-gate: deps
	@$(submake) build emu
	@tests/cuda_gate.sh
	@[ -z "$(HAVE_EMU)" ] || tests/cuda_counters.sh

# A folder that checks and measures the CUDA target on a machine that has a device.
BUNDLE_TESTS := test_cuda_simple test_cuda_conv test_cuda_grouped
.PHONY: gpu-bundle
gpu-bundle: deps
	@$(submake) build $(patsubst %,$(BUILD)/tests/%,$(BUNDLE_TESTS))
	@TESTS="$(BUNDLE_TESTS)" bench/gpu/bundle.sh

# --- what comes later ---

LATER := test-interop
.PHONY: $(LATER)
$(LATER):
	@echo "make $@: not there yet, it comes with a later version" >&2; exit 2

clean:
	rm -rf out/build out/build-asan out/build-fuzz out/emu rxgen

help:
	@echo "make               build rxgen and the runtime for this machine"
	@echo "make demo          install what is missing, train and evaluate on Fashion-MNIST"
	@echo "make test          install what is missing, build and run the tests"
	@echo "make deps          install the packages that are missing"
	@echo "make lint          formatting, the laws of the tree, cppcheck"
	@echo "make gold          emit the golden kernels anew and show what changed"
	@echo "make test-asan     the tests under address and undefined-behaviour sanitizers"
	@echo "make test-long     tests that take longer than the others together"
	@echo "make fuzz          fuzz every parser for FUZZ_SECONDS ($(FUZZ_SECONDS)) each"
	@echo "make bench         bench-kernels and bench-forms"
	@echo "make bench-kernels time every kernel of MODEL (resnext50_32x4d), as a share of the peak"
	@echo "make bench-forms   the three forms of a block against each other"
	@echo "make bench-scaling MODEL on 1, 2, 4, ... threads: images/s and efficiency"
	@echo "make bench-peers   against PyTorch, OpenVINO and ONNX Runtime (installs them below out/)"
	@echo "make bench-compile how long networks take to generate and compile"
	@echo "make bench-sass    predict the speed of CUDA kernels from their machine code"
	@echo "make install       into PREFIX ($(PREFIX))"
	@echo "make emu           an emulated CUDA device for tests, where a toolkit is installed"
	@echo "make cuda-gate     compile all CUDA kernels of all models for all architectures"
	@echo "make gpu-bundle    a folder that checks and measures the CUDA target where a device is"
	@echo "make V=1 ...       show the commands"
	@echo "make clean         remove what was built (networks under out/ stay)"
	@echo "later: make $(LATER)"

# rxgen: `make help` lists what can be made.
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash

BUILD ?= out/build
CC ?= cc
CFLAGS ?= -O2 -g
STRICT := -std=gnu11 -Wall -Wextra -Wconversion -Wshadow -Werror
# Reproducible objects: no absolute path of this machine in them.
CPPFLAGS += -I. -I/usr/include/lua5.4 -D_GNU_SOURCE
LIBS_RUNTIME := -l:libjansson.a -l:libz.a -lpthread -lm
LIBS_GEN := -l:liblua5.4.a -l:libjansson.a -lpthread -ldl -lm

BASE_SRC := $(wildcard runtime/base/*.c)
RUNTIME_SRC := $(wildcard runtime/*.c runtime/cpu/*.c runtime/data/*.c)
GEN_SRC := $(filter-out gen/main.c,$(wildcard gen/*.c gen/*/*.c gen/*/*/*.c))
SUPPORT_SRC := $(wildcard tests/support/*.c)
TEST_SRC := $(wildcard tests/test_*.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TEST_SRC))

.PHONY: all deps test help clean
all: rxgen $(BUILD)/librxruntime.a

deps:
	@tests/deps.sh

test: deps
	@$(MAKE) --no-print-directory -j2 $(TESTS)
	@tests/run.sh $(TESTS)

clean:
	rm -rf $(BUILD) rxgen

help:
	@echo "all      build rxgen and the runtime"
	@echo "deps     install the packages that are missing"
	@echo "test     build and run the tests"
	@echo "clean    remove what was built"

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(STRICT) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/librxruntime.a: $(call obj,$(BASE_SRC) $(RUNTIME_SRC))
	rm -f $@ && ar rcsD $@ $^
$(BUILD)/librxgen.a: $(call obj,$(GEN_SRC))
	rm -f $@ && ar rcsD $@ $^
rxgen: $(call obj,gen/main.c) $(BUILD)/librxgen.a $(BUILD)/librxruntime.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_GEN)

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(call obj,$(SUPPORT_SRC)) $(BUILD)/librxgen.a $(BUILD)/librxruntime.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -rdynamic -o $@ $^ -lcmocka $(LIBS_GEN) $(LIBS_RUNTIME)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

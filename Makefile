# make help says what there is.
PREFIX ?= /usr/local
# The processor to compile for: native is the fastest, x86-64-v3 runs on any of the last ten years. With "any", programs run on
# every x86-64, and the library that LAMMPS uses is there for three kinds of processors, of which each takes its own; or, on
# aarch64, all run on every one of those.
ARCH ?= native
ANY = $(if $(filter aarch64,$(shell uname -m)),armv8-a,x86-64 -Xswiftc -DNO_FMA)

BUILD = .build/release
# Exclusivity is checked when compiling; buffers of the hot path need no check while running.
SWIFT_FLAGS = -c release -Xswiftc -static-stdlib -Xswiftc -enforce-exclusivity=unchecked -Xcc -march=$(if $(filter any,$(ARCH)),$(ANY),$(ARCH))
# Of newer processors, where ARCH is "any".
VARIANTS = $(wildcard $(BUILD)/glibc-hwcaps/*/libdiffnnp.so.1)
VERSION = $(shell sed -n 's/.*diffnnpVersion.*"\(.*\)"/\1/p' Sources/DiffNNP/Version.swift)
ROOT = $(DESTDIR)$(PREFIX)

.PHONY: build setup demo figures test bench soak fuzz install uninstall clean help

build:
	@scripts/setup --check
	swift build $(SWIFT_FLAGS)
	@scripts/build-lammps
	@rm -rf $(BUILD)/glibc-hwcaps
	$(if $(filter any,$(ARCH)),@scripts/build-variants)

# Needs the network and, for Debian packages, root, where something is missing.
setup:
	@scripts/setup

demo: setup
	@$(MAKE) --no-print-directory build
	examples/licl/demo

# The comparison of docs/RESULTS.md. It continues where it was stopped; QUICK=1 tries all of it in minutes.
figures: build
	$(BUILD)/diffnnp-lab study examples/licl/figures/study.yaml $(if $(QUICK),--quick)

test: setup
	@$(MAKE) --no-print-directory build
	@scripts/test

bench: build
	@scripts/bench

# Long tests, which continuous integration leaves out.
soak: build
	@scripts/soak

# Made-up files for the readers, SECONDS for each; what is learned goes into the corpus.
SECONDS ?= 600
fuzz:
	@scripts/fuzz $(SECONDS) --keep

# Installs what `make` has built.
install:
	install -D -s $(BUILD)/diffnnp $(ROOT)/bin/diffnnp
	install -D -s $(BUILD)/diffnnp-lab $(ROOT)/bin/diffnnp-lab
	install -D -s $(BUILD)/lmp-diffnnp $(ROOT)/bin/lmp-diffnnp
	install -D -s -m 644 $(BUILD)/libdiffnnp.so.1 $(ROOT)/lib/libdiffnnp.so.1
	for file in $(VARIANTS:$(BUILD)/%=%); do install -D -s -m 644 $(BUILD)/$$file $(ROOT)/lib/$$file; done
	ln -sf libdiffnnp.so.1 $(ROOT)/lib/libdiffnnp.so
	install -D -s -m 644 $(BUILD)/liblammps_diffnnp.so $(ROOT)/lib/liblammps_diffnnp.so
	install -D -s -m 644 $(BUILD)/diffnnpplugin.so $(ROOT)/lib/lammps/plugins/diffnnpplugin.so
	install -D -m 644 include/diffnnp.h $(ROOT)/include/diffnnp.h
	install -d $(ROOT)/lib/pkgconfig
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' scripts/diffnnp.pc.in > $(ROOT)/lib/pkgconfig/diffnnp.pc

uninstall:
	rm -f $(ROOT)/lib/glibc-hwcaps/*/libdiffnnp.so.1
	rm -f $(ROOT)/bin/diffnnp $(ROOT)/bin/diffnnp-lab $(ROOT)/bin/lmp-diffnnp $(ROOT)/lib/libdiffnnp.so.1 $(ROOT)/lib/libdiffnnp.so \
	  $(ROOT)/lib/liblammps_diffnnp.so \
	  $(ROOT)/lib/lammps/plugins/diffnnpplugin.so $(ROOT)/include/diffnnp.h $(ROOT)/lib/pkgconfig/diffnnp.pc

# What setup has installed stays.
clean:
	rm -rf .build examples/*/out

help:
	@echo "make            build all into $(BUILD); installs nothing, and says what is missing"
	@echo "make setup      install what is missing"
	@echo "make demo       install what is missing, build, train on 500 configurations of LiCl, run LAMMPS, plot: examples/licl/out"
	@echo "make figures    build, and make by diffnnp-lab what is missing of docs/RESULTS.md: hours; QUICK=1 tries it in minutes"
	@echo "make test       install what is missing, build, run all tests"
	@echo "make bench      build, measure the speed, alone and in LAMMPS: .build/bench"
	@echo "make soak       build, run a million steps, kill trainings at random moments: a quarter of an hour"
	@echo "make fuzz       try made-up files on all readers, SECONDS=600 for each of the four"
	@echo "make install    install what is built under PREFIX ($(PREFIX)), with DESTDIR before it where given"
	@echo "make uninstall  remove that again"
	@echo "make clean      remove what was built"
	@echo
	@echo "ARCH=x86-64-v3  compile for other processors than this one; ARCH=any for all, the library for three kinds"

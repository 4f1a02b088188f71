# Short names for the scripts that do the work. `make` alone lists them.

BOARD ?= qemu-m4
SECONDS ?= 60
fuzz_manifest := host-trainer/fuzz/Cargo.toml
target_dir := $(or $(CARGO_TARGET_DIR),target)

help:
	@echo 'make quickstart  set up this machine, build everything, and train, pack and run a recogniser on the emulated board'
	@echo 'make setup       install what is missing: a compiler for the boards, QEMU, Japanese fonts'
	@echo 'make firmware    build the image of BOARD (now: $(BOARD)) as firmware/build/$(BOARD).elf'
	@echo 'make test        run every test, those on the emulated board among them'
	@echo 'make fuzz        fuzz everything that is read from outside, SECONDS for each target (now: $(SECONDS))'
	@echo "make sanitize    the runtime's tests under AddressSanitizer, Valgrind and, with nightly Rust, Miri"
	@echo 'make lint        formatting, clippy, documentation'

setup:
	.ci/setup quickstart

quickstart:
	.ci/setup quickstart
	firmware/build.sh $(BOARD)
	cargo build --release --package fude-trainer
	$(target_dir)/release/fude quickstart

firmware:
	firmware/build.sh $(BOARD)

test:
	.ci/test-setup
	.ci/setup tests
	firmware/build.sh $(BOARD)
	.ci/check-targets
	cargo test --release --workspace
	.ci/sanitize address
	.ci/fuzz 15

fuzz:
	.ci/fuzz $(SECONDS)

sanitize:
	.ci/sanitize

lint:
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	cargo fmt --manifest-path $(fuzz_manifest) --check
	cargo clippy --release --locked --manifest-path $(fuzz_manifest) --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --workspace --no-deps

.PHONY: help setup quickstart firmware test fuzz sanitize lint

# Short names for the scripts that do the work. `make` alone lists them.

BOARD ?= qemu-m4
SECONDS ?= 60
TRIALS ?= 1000
fuzz_manifest := host-trainer/fuzz/Cargo.toml
target_dir := $(or $(CARGO_TARGET_DIR),target)
# Clippy for the TARGET, BINARY and FEATURE of an image: what only a board compiles, it sees nowhere else.
clippy_image = .ci/cross-cargo $(1) clippy --release --package fude-firmware --bin $(2) --features $(3) \
	--target-dir $(target_dir)/firmware -- -D warnings

help:
	@echo 'make quickstart  set up this machine, build everything, and train, pack and run a recogniser on the emulated board'
	@echo 'make setup       install what is missing: a compiler for the boards, QEMU, Japanese fonts'
	@echo 'make setup-all   the same for all boards, and what `make lint` and `make test` need'
	@echo 'make firmware    build the image of BOARD (now: $(BOARD); `all` for every board) as firmware/build/BOARD.elf'
	@echo 'make cuda        build fude with the GPU backend (half an hour; no GPU is needed for it)'
	@echo 'make doctor      say what this machine lacks, and the remedy'
	@echo 'make test        run every test, those on the emulated board among them'
	@echo 'make fuzz        fuzz everything that is read from outside, SECONDS for each target (now: $(SECONDS))'
	@echo "make sanitize    the runtime's tests under AddressSanitizer, Valgrind and, with nightly Rust, Miri"
	@echo "make bench-train training speed on the reference network beside PyTorch's; installs the latter in an environment of its own"
	@echo 'make bench-boards  instructions of the kernels on every emulated core, beside CMSIS-NN; TRIALS random layers of each'
	@echo '                 kernel are compared with the oracle (now: $(TRIALS))'
	@echo 'make bench-pi    instructions on the cores of Raspberry Pis, emulated, beside tract, which is compiled for it (minutes)'
	@echo 'make bench-host  one glyph on this machine, beside LiteRT, ONNX Runtime and tract in an environment of their own'
	@echo 'make size        flash of the runtime part by part, against the budget in firmware/footprint.toml'
	@echo 'make lint        formatting, clippy, documentation'

setup:
	.ci/setup quickstart

setup-all:
	.ci/setup tests

quickstart:
	.ci/setup quickstart
	firmware/build.sh $(BOARD)
	cargo build --release --package fude-trainer
	$(target_dir)/release/fude doctor --board $(BOARD)
	$(target_dir)/release/fude quickstart --board $(BOARD)

firmware:
	firmware/build.sh $(BOARD)

cuda:
	.ci/cuda build

doctor:
	cargo build --release --package fude-trainer
	$(target_dir)/release/fude doctor

test:
	.ci/test-setup
	.ci/setup tests
	firmware/build.sh all
	$(kernel_images)
	.ci/inference-images
	cargo test --release --workspace
	cargo test --release --package fude-boards --features rpi-linux
	@if .ci/has-address-sanitizer; then .ci/sanitize address && .ci/fuzz 15; \
	else echo 'make test: NOT run: .ci/sanitize address, .ci/fuzz'; fi

fuzz:
	.ci/fuzz $(SECONDS)

sanitize:
	.ci/sanitize

# Some gigabytes, which nothing else needs: in the target folder, to be thrown away with it.
pytorch := $(target_dir)/pytorch

$(pytorch)/bin/torchrun:
	python3 -m venv $(pytorch)
	$(pytorch)/bin/pip install --quiet torch

bench-train: $(pytorch)/bin/torchrun
	cargo bench --package fude-trainer --bench train -- --python $(abspath $(pytorch))/bin/python \
		--out $(CURDIR)/runs/bench/train.json

# The images and the program that run layers by themselves.
kernel_images = for board in qemu-m4 qemu-m7 qemu-m33 qemu-m55 qemu-m3 qemu-m0 rpi-linux; do \
	firmware/build.sh $$board kernels || exit; done

bench-boards:
	.ci/setup tests
	$(kernel_images)
	cargo bench --package fude-trainer --bench boards -- --trials $(TRIALS) --out $(CURDIR)/runs/bench/boards.json

# tract is compiled as the program that it is compared with is.
tract := $(abspath $(target_dir))/tract

bench-pi:
	.ci/setup tests
	firmware/build.sh rpi-linux kernels
	TARGET_CPU=cortex-a53 .ci/cross-cargo aarch64-unknown-linux-gnu build --release --locked --target-dir $(tract) \
		--manifest-path host-trainer/benches/pi/tract/Cargo.toml
	cargo bench --package fude-trainer --bench pi -- --trials $(TRIALS) \
		--tract $(tract)/aarch64-unknown-linux-gnu/release/fude-bench-tract --out $(CURDIR)/runs/bench/pi.json

# As for PyTorch above.
rivals := $(target_dir)/rivals

$(rivals)/bin/litert-benchmark:
	python3 -m venv $(rivals)
	$(rivals)/bin/pip install --quiet ai-edge-litert flatbuffers numpy onnx onnxruntime tract

bench-host: $(rivals)/bin/litert-benchmark
	cargo bench --package fude-trainer --bench host -- --python $(abspath $(rivals))/bin/python \
		--out $(CURDIR)/runs/bench/host.json

size:
	.ci/setup tests
	.ci/inference-images
	cargo test --release --package fude-firmware --test footprint -- --nocapture

lint:
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	cargo clippy --release --package fude-firmware --features rpi-linux --bin linux -- -D warnings
	$(call clippy_image,aarch64-unknown-linux-gnu,linux-kernels,rpi-linux)
	$(call clippy_image,thumbv7em-none-eabihf,board,qemu-m4)
	$(call clippy_image,thumbv6m-none-eabi,board,qemu-microbit)
	$(call clippy_image,thumbv7em-none-eabihf,inference,inference)
	cargo fmt --manifest-path $(fuzz_manifest) --check
	cargo fmt --manifest-path host-trainer/benches/pi/tract/Cargo.toml --check
	cargo clippy --release --locked --manifest-path $(fuzz_manifest) --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --workspace --no-deps

.PHONY: help setup setup-all quickstart firmware cuda doctor test fuzz sanitize bench-train bench-boards bench-pi bench-host size lint

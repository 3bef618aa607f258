# The first two are all that most people need; README.md says more.

.PHONY: up down test bench sim sim-mutants check

## Installs what is needed, builds, starts Berth and runs a first task.
up:
	@scripts/up

## Stops what `make up` started. Data stays in .berth/.
down:
	@scripts/down

## Installs what the tests need and runs them all.
test:
	@scripts/test

## Measures the figures that Berth promises.
bench:
	@scripts/bench

## Runs the control plane in simulation, one run for each of SEEDS seeds.
sim:
	@cargo run --release --quiet -p berth-sim -- --seeds $(or $(SEEDS),3000)

## Plants bugs in the simulation, and checks that each is found.
sim-mutants:
	@cargo run --release --quiet -p berth-sim -- --mutants --seeds $(or $(SEEDS),2000)

## Format, lints, generated code, crate edges.
check:
	cargo xtask check

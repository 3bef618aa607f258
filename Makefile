# The first two are all that most people need; README.md says more.

.PHONY: up down test bench check

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

## Format, lints, generated code, crate edges.
check:
	cargo xtask check

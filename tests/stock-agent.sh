#!/usr/bin/env bash
# Runs a real Amazon ECS agent, whose binary BERTH_STOCK_AGENT names, through the scenarios of
# tests/tests/stock_agent. Not part of `make test`: the agent is not part of the project.
#
#   BERTH_STOCK_AGENT=/path/to/agent tests/stock-agent.sh [--long] [SCENARIO...]
#
# Without names, all scenarios but those that take minutes are run; --long adds these.
# BERTH_STOCK_RECORD=DIR writes a transcript of each; those in tests/transcripts were made so.
# Needs root, Docker and port 443 of 127.0.0.1.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${BERTH_STOCK_AGENT:?names the agent to run}"
exec cargo test --package berth-tests --test stock_agent -- "$@"

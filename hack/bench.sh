#!/usr/bin/env bash
# Measures ours side by side, in one run, with what a user would pick instead: a bash script with podman, `podman run`, a bare
# Temporal workflow, OpenTofu's validate. What counts is the ratio; the times are this machine's.
#
#   hack/bench.sh [FLAGS OF go test]        such as -benchtime 20x
. "$(dirname "$0")/lib.sh"

hack/apt.sh run test
hack/subids.sh
hack/tools.sh podman-5.8.2 tofu
hack/build.sh

go test -tags "$tags,integration" -run '^$' -bench . -benchtime 10x -timeout 30m "$@" ./internal/e2e
# What runs once is long, or has nothing beside it.
go test -tags "$tags,integration" -run '^$' -bench ForEach10000 -benchtime 1x -timeout 30m ./workflows/worker
go test -run '^$' -bench Case -benchtime 2s ./engine/cases

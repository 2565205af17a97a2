#!/usr/bin/env bash
# What CI checks in the source: linters and formatters (.golangci.yml), and the scripts.
. "$(dirname "$0")/lib.sh"

hack/apt.sh lint
hack/tools.sh golangci-lint

# A cache of this checkout's own: the findings it keeps name files by their absolute paths, and those of another
# checkout of the same code escape the exclusions, which go by path.
export GOLANGCI_LINT_CACHE=$root/.cache/golangci-lint

golangci-lint run ./...
golangci-lint fmt --diff
shellcheck -x -P SCRIPTDIR .ci/run hack/*.sh hack/*/*.sh

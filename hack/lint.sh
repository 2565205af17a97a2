#!/usr/bin/env bash
# What CI checks in the source: linters and formatters (.golangci.yml), and the scripts.
. "$(dirname "$0")/lib.sh"

hack/apt.sh lint
hack/tools.sh golangci-lint

golangci-lint run ./...
golangci-lint fmt --diff
shellcheck -x -P SCRIPTDIR .ci/run hack/*.sh hack/*/*.sh

#!/usr/bin/env bash
# Keeps the embedded stack up until Ctrl-C, with the example function in it. Its state is kept in .cache/dev.
. "$(dirname "$0")/lib.sh"

hack/apt.sh run
hack/subids.sh
hack/build.sh
exec bin/cpub-dev --dir "$root/.cache/dev" "$@"

#!/usr/bin/env bash
# Keeps the embedded stack up until Ctrl-C. Its state is kept in .cache/dev: what is published, uploaded and pushed is there again the
# next time.
. "$(dirname "$0")/lib.sh"

if ! hack/limits.sh; then
	say "The stack starts all the same: pipelines that start no container work."
	say
fi
hack/apt.sh run
hack/subids.sh
hack/build.sh
exec bin/cpub-dev --dir "$root/.cache/dev" "$@"

#!/usr/bin/env bash
# The demo: looks whether limits can be enforced here, installs what a run needs, builds, starts the embedded stack in .cache/demo,
# puts an example function into S3, runs the pipeline examples/hcl/function on it, and stops everything that it started.
. "$(dirname "$0")/lib.sh"

hack/limits.sh
hack/apt.sh run
hack/subids.sh
hack/build.sh

say
say "Starting the stack: Temporal, S3, a registry and a worker, in one process, with its state in .cache/demo"
bin/cpub-dev --dir "$root/.cache/demo" --ports-free -- hack/demo-run.sh

say
say "That was the whole way: S3 -> extracted -> built -> pushed -> run under limits, as one durable workflow."
say "What next:"
say "  make dev                     keeps the stack up; prints the addresses of Temporal's UI, S3 and the registry"
say "  examples/hcl/function        the pipeline that ran"
say "  docs/tutorial.md             your own first pipeline"

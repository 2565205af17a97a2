#!/usr/bin/env bash
# Puts the example function where the pipeline examples/hcl/function looks for it: a base image into the stack's registry, the
# function's archive into its object store. Runs inside the stack (cpub-dev -- hack/function.sh).
. "$(dirname "$0")/lib.sh"

function_id=${1:-hello}
version=${2:-1}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp examples/functions/hello/Containerfile "$work/"
go build -o "$work/function" ./examples/functions/hello

bin/cpub-dev image examples/functions/base "$CPUB_DEV_REGISTRY/base:1" >/dev/null
bin/cpub-dev put "$work" "s3://functions/functions/$function_id/$version.tar.gz"
say "s3://functions/functions/$function_id/$version.tar.gz: $(du -h "$work/function" | cut -f1) of function, with its Containerfile"
say "$CPUB_DEV_REGISTRY/base:1: the image that it builds on"

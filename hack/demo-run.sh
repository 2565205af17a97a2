#!/usr/bin/env bash
# What the demo does inside the stack, with the stack's environment.
. "$(dirname "$0")/lib.sh"

say
say "The function, as a platform's upload would put it:"
hack/function.sh hello 1

say
say "bin/cpub run examples/hcl/function"
bin/cpub run examples/hcl/function \
	-var function_id=hello -var function_version=1 \
	-var "docker_registry=$CPUB_DEV_REGISTRY" -var "docker_base_image=$CPUB_DEV_REGISTRY/base:1" \
	-var 'input={ name = "Ada" }'

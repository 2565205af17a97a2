#!/usr/bin/env bash
# Puts into the stack of docker-compose.test.yml what the example needs: the store's bucket and the example function. Wants the
# environment of hack/compose/client.env.
. "$(dirname "$0")/../lib.sh"

bin/cpub-dev put docker-compose.test.yml s3://cpub-store/about/docker-compose.test.yml # makes the bucket
hack/function.sh "$@"

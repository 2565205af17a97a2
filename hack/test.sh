#!/usr/bin/env bash
# Unit and integration tests, against real services: Debian's Podman and Podman 5, Temporal, S3 with signatures, a registry.
# What is missing is installed first. A missing service fails a test, and a skipped test fails the run.
#
#   hack/test.sh [PACKAGES AND FLAGS OF go test]        all packages when none is named
. "$(dirname "$0")/lib.sh"

hack/apt.sh run test
hack/subids.sh
hack/tools.sh gotestsum temporal podman-5.8.2 quadlet-5.8.2 docker-compose versitygw registry
hack/build.sh

[ $# -gt 0 ] || set -- ./...
events=$root/.cache/test-events.json
gotestsum --format pkgname --format-hide-empty-pkg --jsonfile "$events" -- \
	-tags "$tags,integration" -count 1 -timeout 30m "$@"

if grep '"Action":"skip"' "$events" | grep '"Test":' >&2; then
	die "the tests above were skipped; every one has to run"
fi

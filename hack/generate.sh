#!/usr/bin/env bash
# Makes all generated code and pages again (the //go:generate lines): the wire protocol from docs/protocol/*.proto,
# docs/steps from the providers' schemas. What it writes is checked in, and CI fails where it differs.
. "$(dirname "$0")/lib.sh"

hack/apt.sh lint
hack/tools.sh protoc-gen-go protoc-gen-go-grpc

go generate ./...

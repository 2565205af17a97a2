#!/usr/bin/env bash
# Builds the images of docker-compose.test.yml under the names that they have in their registries, from the same
# programs' Go modules: for a machine that cannot pull. PODMAN names the command (and the store) to build with.
#
#   PODMAN="podman --root DIR --runroot DIR" hack/compose/images.sh
. "$(dirname "$0")/../lib.sh"

read -ra podman <<<"${PODMAN:-podman}"

hack/tools.sh temporal versitygw registry

# image NAME BINARY LINE…: an image of one static program, and more lines for its Containerfile.
image() {
	local name=$1 binary=$2 context
	shift 2
	context=$(mktemp -d)
	cp "$tools/$binary" "$context/"
	[ "$binary" != registry ] || cp "$(registry_config)" "$context/config.yml"
	printf '%s\n' "FROM scratch" "COPY $binary /bin/$binary" "ENV PATH=/bin" "ENTRYPOINT [\"$binary\"]" "$@" >"$context/Containerfile"
	"${podman[@]}" build --quiet --network none --tag "$name" "$context" >/dev/null || die "building the image $name"
	rm -rf "$context"
	say "image $name"
}

# registry_config gives the settings that the registry's own image has: those of its module.
registry_config() {
	local module
	module=$(go list -m -f '{{.Dir}}' github.com/distribution/distribution/v3)
	echo "$module/cmd/registry/config-dev.yml"
}

image docker.io/temporalio/temporal:1.5.1 temporal "ENV USER=temporal HOME=/" "USER 1000" # it wants to know its user's name
image docker.io/versity/versitygw:v1.8.0 versitygw
image docker.io/library/registry:3 registry \
	"COPY config.yml /etc/distribution/config.yml" 'CMD ["serve", "/etc/distribution/config.yml"]' \
	"ENV OTEL_TRACES_EXPORTER=none"

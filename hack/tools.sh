#!/usr/bin/env bash
# Builds the tools that are named, at the versions that stand here, into .cache/bin:
#
#   hack/tools.sh temporal golangci-lint …
#
# A stamp beside each one says what it was built from, so that a second call takes milliseconds.
. "$(dirname "$0")/lib.sh"

go_version=$(go env GOVERSION)

# source_of NAME: the package and its exact version.
source_of() {
	case $1 in
	temporal) echo github.com/temporalio/cli/cmd/temporal@v1.5.1 ;;
	versitygw) echo github.com/versity/versitygw/cmd/versitygw@v1.8.0 ;;
	registry) echo github.com/distribution/distribution/v3/cmd/registry@v3.1.1 ;;
	docker-compose) echo github.com/docker/compose/v2/cmd@v2.40.0 ;;
	golangci-lint) echo github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.0 ;;
	gotestsum) echo gotest.tools/gotestsum@v1.13.0 ;;
	protoc-gen-go) echo google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11 ;;
	protoc-gen-go-grpc) echo google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0 ;;
	tofu) echo github.com/opentofu/opentofu/cmd/tofu@v1.10.6 ;;
	podman-5.8.2) echo github.com/containers/podman/v5/cmd/podman@v5.8.2 ;;
	quadlet-5.8.2) echo github.com/containers/podman/v5/cmd/quadlet@v5.8.2 ;;
	*) die "no tool is called $1" ;;
	esac
}

# build NAME PACKAGE@VERSION
build() {
	case $1 in
	docker-compose)
		in_module "$1" "$2" github.com/docker/compose/v2 -ldflags "-X github.com/docker/compose/v2/internal.Version=${2#*@}"
		;;
	podman-5.8.2)
		# With a C library, against the flags of all else: seccomp profiles need it.
		CGO_ENABLED=1 in_module "$1" "$2" github.com/containers/podman/v5 \
			-tags containers_image_openpgp,exclude_graphdriver_btrfs,seccomp
		;;
	quadlet-5.8.2) in_module "$1" "$2" github.com/containers/podman/v5 -tags containers_image_openpgp,exclude_graphdriver_btrfs ;;
	tofu) in_source "$1" "$2" github.com/opentofu/opentofu ;;
	*) GOBIN=$tools with_progress "building $1" go install -v "$2" ;;
	esac
}

# in_module NAME PACKAGE@VERSION MODULE FLAGS…: builds in a module made for it, where `go install PACKAGE@VERSION` refuses: that
# wants no exclude directives (Compose has some) and a list of the module's versions (Podman's cannot be had everywhere).
in_module() {
	local name=$1 package=${2%@*} version=${2#*@} module=$3 work source
	shift 3
	work=$(mktemp -d)
	source=$(cd "$work" && go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	[ -n "$source" ] || die "downloading $module@$version"
	printf 'module tool\n\ngo %s\n\nrequire %s %s\n' "${go_version#go}" "$module" "$version" >"$work/go.mod"
	install -m 644 "$source/go.sum" "$work/go.sum"
	with_progress "building $name" go build -C "$work" -v -mod=mod "$@" -o "$tools/$name" "$package"
	rm -rf "$work"
}

# in_source NAME PACKAGE@VERSION MODULE: builds in a copy of the module itself, where it replaces others: its replace directives count in
# its own source alone.
in_source() {
	local name=$1 package=${2%@*} version=${2#*@} module=$3 work source
	work=$(mktemp -d)
	source=$(cd "$work" && go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	[ -n "$source" ] || die "downloading $module@$version"
	cp -r "$source/." "$work"
	chmod -R u+w "$work"
	with_progress "building $name" go build -C "$work" -v -o "$tools/$name" "$package"
	rm -rf "$work"
}

# current NAME SOURCE: is it there, built from this?
current() {
	[ -x "$tools/$1" ] && [ "$(cat "$tools/.$1.stamp" 2>/dev/null)" = "$2" ]
}

mkdir -p "$tools"
for name in "$@"; do
	package=$(source_of "$name")
	source="$package $go_version"
	current "$name" "$source" && continue
	(
		flock 9 # another make may be at it
		current "$name" "$source" && exit
		build "$name" "$package"
		echo "$source" >"$tools/.$name.stamp"
	) 9>"$tools/.$name.lock"
done

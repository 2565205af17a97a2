#!/bin/sh
# Builds Podman 5.8.2 (server and CLI) from its Go module into .cache/bin/podman-5.8.2.
# Debian has 4.3.1; the bindings are made for 5.x, so the tests run against both.
# Needs Go, a C compiler, pkg-config and libseccomp-dev. Does nothing when the binary is there.
set -eu

version=5.8.2
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$root/.cache/bin/podman-$version}

if [ -x "$out" ]; then
	exit 0
fi
if ! pkg-config --exists libseccomp; then
	echo "podman5.sh: libseccomp is missing: apt-get install -y gcc pkg-config libseccomp-dev" >&2
	exit 1
fi

echo "building Podman $version from its module (about two minutes)" >&2
module=github.com/containers/podman/v5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
src=$(cd "$root" && go list -mod=mod -m -f '{{.Dir}}' "$module@v$version" 2>/dev/null || true)
if [ -z "$src" ]; then
	src=$(cd "$root" && go mod download -json "$module@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
fi
cat >go.mod <<MOD
module podman5

go 1.26.0

require $module v$version

tool $module/cmd/podman
MOD
cp "$src/go.sum" go.sum
chmod u+w go.sum
mkdir -p "$(dirname "$out")"
# GOFLAGS of the caller carries tags for the remote client (no server): set ours alone.
CGO_ENABLED=1 GOFLAGS=-mod=mod go build -buildvcs=false \
	-tags 'containers_image_openpgp exclude_graphdriver_btrfs seccomp' \
	-o "$out.tmp" "$module/cmd/podman"
mv "$out.tmp" "$out"

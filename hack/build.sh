#!/usr/bin/env bash
# Builds every binary into bin/. One call of Go builds all of them, so that both cores are busy and nothing is compiled
# twice; it needs one name a folder, so the providers get theirs by a link.
. "$(dirname "$0")/lib.sh"

# binary -> its main package
declare -A mains=(
	[cpub]=cmd/cpub
	[cpub-worker]=cmd/cpub-worker
	[cpub-dev]=cmd/cpub-dev
	[cpub-provider-podman]=plugins/podman
	[cpub-provider-s3]=plugins/s3
	[cpub-provider-archive]=plugins/archive
)

# The version comes from git (debug.ReadBuildInfo tells it), where git can read this tree.
vcs=false
if git rev-parse --git-dir >/dev/null 2>&1 && git status --porcelain >/dev/null 2>&1; then
	vcs=true
fi

out=$root/.cache/build
mkdir -p bin "$out"
if [ ! -x bin/cpub-dev ]; then
	say "Building into bin/. The first build takes minutes (the embedded Temporal server is most of it); later ones seconds."
fi
with_progress "building cpub, its worker, its providers and cpub-dev" \
	go build -v -buildvcs=$vcs -o "$out/" "${mains[@]/#/./}"

for name in "${!mains[@]}"; do
	ln -f "$out/${mains[$name]##*/}" "bin/$name"
done

# shellcheck shell=bash
# Sourced by the scripts beside it: where things are, how Go is called, how the scripts speak.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/.cache/bin
cd "$root"

# One set of flags for every call of Go, so that builds, tests and linters share one build cache.
# The tags leave out the C libraries that Podman's bindings would ask for.
tags=containers_image_openpgp,exclude_graphdriver_btrfs,remote
export CGO_ENABLED=0
# Without symbol tables: they double the binaries, and the time to link them.
export GOFLAGS="-buildvcs=false -ldflags=-s -tags=$tags"
export PATH="$tools:$PATH"

say() { printf '%s\n' "$*" >&2; }

die() {
	say "${0##*/}: $*"
	exit 1
}

# as_root LINE: runs a line of shell as root or with sudo. Where neither can be had, prints the line and stops.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		sh -c "$1"
	elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
		sudo sh -c "$1"
	else
		say "This needs root, and sudo cannot be used here. Run this as root, then try again:"
		say
		say "    $1"
		say
		exit 1
	fi
}

# with_progress WHAT COMMAND…: runs a `go build -v` or the like, and shows that it lives: how many packages it has
# compiled, and for how long. On a terminal one moving line, elsewhere a line every 30 seconds. Its output (all of
# it, not the names of packages) is shown when it fails.
with_progress() {
	local what=$1 log tick=30 began=$SECONDS shown=$SECONDS rc=0
	shift
	log=$(mktemp)
	[ ! -t 2 ] || tick=1
	"$@" >"$log" 2>&1 &
	local pid=$!
	# shellcheck disable=SC2064 # now, not later: both names are local
	trap "kill $pid 2>/dev/null; rm -f '$log'" EXIT
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if ((SECONDS - shown >= tick)); then
			shown=$SECONDS
			progress "$what: $(built "$log"), $((SECONDS - began)) s"
		fi
	done
	wait "$pid" || rc=$?
	trap - EXIT
	[ ! -t 2 ] || printf '\r\033[K' >&2
	if ((rc != 0)); then
		grep -vE '^go: downloading |^[a-z0-9.]+(/[^: ]+)*$' "$log" >&2 || true
		rm -f "$log"
		die "$what: failed ($*)"
	fi
	rm -f "$log"
	say "$what: done in $((SECONDS - began)) s"
}

# built LOG: how far a `go build -v` is, by its output: a line for each module it downloads and each package it compiles.
built() {
	local lines modules
	lines=$(wc -l <"$1")
	modules=$(grep -c '^go: downloading' "$1" || true)
	if ((modules > 0)); then
		printf '%d modules downloaded, ' "$modules"
	fi
	printf '%d packages compiled' $((lines - modules))
}

progress() {
	if [ -t 2 ]; then
		printf '\r\033[K%s' "$*" >&2
	else
		say "$*"
	fi
}

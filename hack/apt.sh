#!/usr/bin/env bash
# Installs the Debian packages that are missing, of the groups that are named:
#
#   hack/apt.sh run         what a pipeline needs at run time (make demo, make dev)
#   hack/apt.sh test        what the tests need beside that
#   hack/apt.sh lint        what the linters and generators need
#
# It says what it installs before it does. Nothing happens where nothing is missing.
. "$(dirname "$0")/lib.sh"

packages() {
	case $1 in
	run) echo ca-certificates podman runc netavark aardvark-dns uidmap slirp4netns fuse-overlayfs iptables catatonit ;;
	test) echo busybox-static gcc libc6-dev pkg-config libseccomp-dev openssh-server iproute2 curl procps systemd ;;
	lint) echo shellcheck protobuf-compiler ;;
	*) die "unknown group $1: run, test or lint" ;;
	esac
}

# installed: the names of all installed packages, one a line.
installed() {
	# shellcheck disable=SC2016 # the ${…} are dpkg-query's
	dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null | sed -n 's/ installed$//p'
}

wanted=()
for group in "$@"; do
	list=$(packages "$group")
	read -ra more <<<"$list"
	wanted+=("${more[@]}")
done
[ ${#wanted[@]} -gt 0 ] || die "name a group: run, test or lint"

if ! command -v dpkg-query >/dev/null; then
	command -v podman >/dev/null || die "this is no Debian or Ubuntu, so install by hand what these packages bring: ${wanted[*]}"
	exit 0
fi

mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) <(installed | sort -u))
[ ${#missing[@]} -gt 0 ] || exit 0

say "Installing with apt: ${missing[*]}"
as_root "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${missing[*]}" >/dev/null

#!/usr/bin/env bash
# Says, before anything is installed or built, whether Podman can enforce limits of memory, CPU and processes for this user: without
# them no container is started. Ends with 1, and says why and what to do, where it cannot.
#
#   hack/limits.sh [FOLDER OF CGROUPS]        /sys/fs/cgroup when none is named
. "$(dirname "$0")/lib.sh"

cgroups=${1:-/sys/fs/cgroup}
uid=$(id -u)

# Root can. Whoever names a service elsewhere has that one's limits, which the provider looks at.
if [ "$uid" = 0 ] || [ -n "${CONTAINER_HOST:-}" ]; then
	exit 0
fi

# refuse WHY REMEDY…
refuse() {
	say "Podman cannot enforce limits of memory, CPU and processes for the user $(id -un) on this machine, and no container is started"
	say "without them: $1."
	say
	shift
	printf '    %s\n' "$@" >&2
	say
	exit 1
}

if [ ! -e "$cgroups/cgroup.controllers" ]; then
	refuse "it has cgroups v1, where rootless Podman ignores limits" \
		"Run it as root (rootful Podman, with a user namespace for every container)," \
		"or boot with cgroups v2: systemd.unified_cgroup_hierarchy=1 on the kernel's command line."
fi

own=$cgroups/user.slice/user-$uid.slice/user@$uid.service/cgroup.controllers
if [ ! -e "$own" ]; then
	refuse "there is no systemd session of this user's that cgroups could be delegated to" \
		"Log in anew (su and sudo open no session), or keep one open, as root: loginctl enable-linger $(id -un)," \
		"or run it as root."
fi
missing=
for controller in cpu memory pids; do
	grep -qw "$controller" "$own" || missing="$missing $controller"
done
if [ -n "$missing" ]; then
	refuse "these cgroup controllers are not delegated to this user:$missing" \
		"As root: mkdir -p /etc/systemd/system/user@.service.d" \
		"         printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' >/etc/systemd/system/user@.service.d/delegate.conf" \
		"         systemctl daemon-reload" \
		"Then log in anew. Or run it as root."
fi

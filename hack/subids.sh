#!/usr/bin/env bash
# Gives Podman the ranges of user and group ids that its user namespaces are made of: for root the line `containers:`
# (which `--userns=auto` takes from), for a user one with the user's name. Says what it adds before it does.
. "$(dirname "$0")/lib.sh"

name=containers start=1000000 count=1048576
if [ "$(id -u)" != 0 ]; then
	name=$(id -un) count=65536
	# Behind every range that somebody else has.
	start=$(cat /etc/subuid /etc/subgid 2>/dev/null | awk -F: '$2 + $3 > end { end = $2 + $3 } END { print (end > 100000 ? end : 100000) }')
fi

for file in /etc/subuid /etc/subgid; do
	if grep -qs "^$name:" "$file"; then
		continue
	fi
	line=$name:$start:$count
	say "Adding to $file: $line (ids for containers' user namespaces)"
	as_root "echo $line >>$file"
done

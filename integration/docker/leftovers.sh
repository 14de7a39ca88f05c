# shellcheck shell=bash
# For the scripts that start hosts: one run of a kind (`demo`, `test`) at a time, and nothing left of it. To be sourced after
# engine.sh, which sets `harness` and `label`. What a run starts has the label of its kind, by which the next one removes what
# a killed one left.
# shellcheck disable=SC2154

# alone KIND: waits until no other run of this kind is under way. Children share the lock, until all of them have exited.
alone() {
	exec {lock}> "${TMPDIR:-/tmp}/$harness-$1-$UID.lock"
	flock --nonblock "$lock" || { echo "waiting for another run ($harness, $1)" >&2; flock "$lock"; }
}

# leftovers KIND: containers, networks and volumes, as "TYPE ID"
leftovers() {
	timeout 60 docker container ls --all --filter "label=$label=$1" --format 'container {{.ID}} {{.Names}}'
	timeout 60 docker network ls --filter "label=$label=$1" --format 'network {{.ID}} {{.Name}}'
	timeout 60 docker volume ls --filter "label=$label=$1" --format 'volume {{.Name}}'
}

# remove_leftovers KIND: a few times, because a killed run may have asked the engine for something that comes later
remove_leftovers() {
	local try type id name
	for try in 1 2 3; do
		while read -r type id name; do
			case $type in
				container) timeout 60 docker container rm --force --volumes "$id" ;;
				*) timeout 60 docker "$type" rm "$id" ;;
			esac > /dev/null 2>&1 || [ "$try" -lt 3 ] || echo "cannot remove the $type ${name:-$id}" >&2
		done < <(leftovers "$1")
		[ -n "$(leftovers "$1")" ] || return 0
		sleep 1
	done
}

# leave_nothing KIND: removes what is left, and names what cannot be removed
leave_nothing() {
	local left
	remove_leftovers "$1"
	left=$(leftovers "$1")
	[ -z "$left" ] || { printf 'left:\n%s\n' "$left" >&2; return 1; }
}

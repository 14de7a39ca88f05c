# shellcheck shell=bash
# Steps of the CI run, as far as they fit into the time; sourced by the scripts that consist of them. Each line that reports a
# step begins with $part. Afterwards $status is 1 if a step failed.

# part_of_ci PART MINUTES: sets the word before each report, and the time for all steps.
part_of_ci() {
	part=$1
	limit=$(($2 * 60))
	status=0
}

# fits MINUTES
fits() { [ $((limit - SECONDS)) -ge $(($1 * 60)) ]; }

# cannot_run STATUS: prints why a command that ended with this status could not do its work here, which is no failure. A script
# with such reasons defines it anew.
cannot_run() { :; }

# shellcheck disable=SC2034 # what it sets is for the script that sources this
# step WHAT MINUTES COMMAND...: runs the command if it fits, and kills it where the time ends. What fails is run once more, if
# that fits: the machine may be busy. Both are reported. $passed is yes or no.
step() {
	local what=$1 minutes=$2 begin=$SECONDS attempt result reason
	shift 2
	passed=no
	if ! fits "$minutes"; then
		echo "$part: $what NOT RUN: it takes up to $minutes min, $(((limit - SECONDS) / 60)) min are left"
		return
	fi
	for attempt in first second; do
		result=0
		timeout -k 60 $((limit - SECONDS)) "$@" || result=$?
		reason=$(cannot_run "$result")
		if [ "$result" -eq 0 ]; then
			echo "$part: $what passed in $((SECONDS - begin)) s"
			passed=yes
		elif [ -n "$reason" ]; then
			echo "$part: $what NOT RUN: $reason"
		elif [ "$SECONDS" -ge "$limit" ]; then
			echo "$part: $what NOT FINISHED: no time is left"
		else
			echo "$part: $what FAILED the $attempt time (exit status $result) after $((SECONDS - begin)) s"
			[ "$attempt" = first ] && fits "$minutes" && continue
			status=1
		fi
		return
	done
}

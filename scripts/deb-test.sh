#!/bin/bash
# Installs, starts, upgrades, removes and purges the Debian package of target/debug/xmppd. This takes place in a copy-on-write
# view of this machine's root, which is gone afterwards, without a network. Where that cannot be had, it is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
view=$work/view

# Mounts the view. In a mount namespace of its own.
make_view() {
	mount -t tmpfs none "$work"
	mkdir "$work/upper" "$work/work" "$view"
	mount -t overlay none -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$view"
	mount -t tmpfs none "$view/run"
	mount -t tmpfs none "$view/tmp"
	mount --bind /dev "$view/dev"
}

missing() {
	if ! command -v dpkg > /dev/null || ! command -v dpkg-shlibdeps > /dev/null; then
		echo 'Debian, with dpkg-dev'
	elif [ "$(id -u)" -ne 0 ]; then
		echo 'root'
	elif [ -e /etc/config ] || [ -e /usr/sbin/xmppd ]; then
		echo 'a machine without xmppd and /etc/config'
	else
		local error
		error=$( (export -f make_view; export work view; unshare --mount --pid --net --fork bash -ec make_view) 2>&1) ||
			echo "a mount namespace with an overlay ($(tail -n 1 <<< "$error"))"
	fi
}

reason=$(missing)
if [ -n "$reason" ]; then
	echo "skipped: the test of the Debian package needs $reason"
	exit 0
fi

# ------------------------------------------------------------------------------------------------ the packages

target=${CARGO_TARGET_DIR:-target}
packages=$work/packages
mkdir -p "$work/target/release" "$packages" "$target/tools"
strip -o "$work/target/release/xmppd" "$target/debug/xmppd"
# The same directory for tools: what builds cargo-deb is not the package's target directory.
ln -s "$(realpath -m "$target")/tools" "$work/target/tools"
CARGO_TARGET_DIR=$work/target scripts/cargo-deb.sh --package xmppd --no-build --no-strip --fast \
	--output "$packages/first.deb" > /dev/null
# A later version, whose default file is another one.
dpkg-deb --raw-extract "$packages/first.deb" "$work/second"
sed -i 's/^Version: .*/&.1/' "$work/second/DEBIAN/control"
echo '# changed' >> "$work/second/etc/config/xmpp"
dpkg-deb --root-owner-group --build "$work/second" "$packages/second.deb" > /dev/null

# ------------------------------------------------------------------------------------------------ the test

# In the view.
lifecycle() {
	fail() { echo "the Debian package: $*" >&2; exit 1; }
	has() { [ -e "$1" ] || fail "$1 is missing"; }
	has_no() { if [ -e "$1" ] || [ -L "$1" ]; then fail "$1 is there"; fi; }
	# The files that differ from those of this machine, but for dpkg's own notes.
	files() {
		find /run/upper ! -type d ! -path '/run/upper/var/l*/dpkg*' ! -path '/run/upper/var/log/*' \
			! -path '/run/upper/var/cache/*' | sort
	}
	enabled=/etc/systemd/system/multi-user.target.wants/xmppd.service
	export DEBIAN_FRONTEND=noninteractive
	# As on a machine whose services start when they are installed.
	rm -f /usr/sbin/policy-rc.d
	# The index of man pages, which takes long.
	rm -f /var/lib/man-db/auto-update
	files > /run/before

	# Without systemd, as in a chroot or a container: nothing is started.
	dpkg --install /tmp/first.deb
	problems=$(dpkg --verify xmppd)
	[ -z "$problems" ] || fail "dpkg --verify: $problems"
	[ "$(stat -c '%a %U:%G' /etc/config/xmpp)" = '600 root:root' ] || fail 'the mode of /etc/config/xmpp'
	for file in /usr/share/man/man8/xmppd.8.gz /usr/share/man/man5/xmppd.conf.5.gz "$enabled" \
		/usr/share/bash-completion/completions/xmppd /usr/share/doc/xmppd/{copyright,changelog.Debian.gz}; do
		has "$file"
	done
	has_no /run/xmppd
	version=$(dpkg-query --show --showformat '${Version}' xmppd)
	[ "xmppd ${version%-*}" = "$(xmppd --version)" ] || fail "it is $version, and its program $(xmppd --version)"
	zcat /usr/share/doc/xmppd/changelog.Debian.gz > /run/changelog
	[ "$version" = "$(dpkg-parsechangelog --file /run/changelog --show-field Version)" ] ||
		fail "config/debian/changelog has no entry for $version"
	[ "$(xmppd check /etc/config/xmpp)" = '/etc/config/xmpp: no problems' ] || fail 'the default file has problems'

	# Started as the unit does, without capabilities.
	unit() { sed -n "s/^$1=//p" /usr/lib/systemd/system/xmppd.service; }
	prlimit --core="$(unit LimitCORE)" setpriv --bounding-set=-all --inh-caps=-all --no-new-privs \
		"$(unit ExecStart | cut -d ' ' -f 1)" run 2> /run/log &
	for _ in {1..100}; do
		xmppd status > /run/status 2>&1 && break
		sleep 0.1
	done
	grep -q 'disabled' /run/status || fail "status: $(cat /run/status /run/log)"
	if grep 'core dumps' /run/log; then fail 'LimitCORE'; fi
	unit ExecReload | while read -r command; do $command || fail "reload: $command"; done
	kill $!
	wait $! || fail "the daemon exited with $?"

	# An upgrade keeps a file that was edited.
	echo '# edited' >> /etc/config/xmpp
	chmod 640 /etc/config/xmpp
	dpkg --force-confdef --force-confold --install /tmp/second.deb
	[ "$(tail -n 1 /etc/config/xmpp)" = '# edited' ] || fail 'the upgrade has replaced /etc/config/xmpp'
	[ "$(stat -c %a /etc/config/xmpp)" = 640 ] || fail 'the upgrade has changed the mode of /etc/config/xmpp'
	has "$enabled"

	dpkg --remove xmppd
	has /etc/config/xmpp
	has_no /usr/sbin/xmppd
	dpkg --purge xmppd
	for file in /run/xmppd /usr/share/doc/xmppd /etc/config; do
		has_no "$file"
	done
	files > /run/after
	diff /run/before /run/after || fail 'it has left these behind'

	# Where systemd runs, it is told. Its stand-in writes down what.
	mkdir -p /run/systemd/system
	printf '#!/bin/sh\necho "$*" >> /run/systemctl\ncase $* in *is-enabled*) echo enabled ;; esac\n' > /run/stand-in
	chmod 755 /run/stand-in
	rm -f /usr/bin/systemctl
	cp /run/stand-in /usr/bin/systemctl
	told() {
		: > /run/systemctl
		"$@"
		grep -oE '(start|restart|stop) xmppd.service$' /run/systemctl > /run/told || true
	}
	told dpkg --install /tmp/first.deb
	[ "$(cat /run/told)" = 'start xmppd.service' ] || fail "installed: $(cat /run/systemctl)"
	told dpkg --install /tmp/second.deb
	[ "$(cat /run/told)" = 'restart xmppd.service' ] || fail "upgraded: $(cat /run/systemctl)"
	told dpkg --purge xmppd
	[ "$(cat /run/told)" = 'stop xmppd.service' ] || fail "purged: $(cat /run/systemctl)"
}

run() {
	local files=$work/packages
	mkdir /run/xmppd-deb 2> /dev/null || true
	mount -t tmpfs none /run/xmppd-deb
	cp "$files"/*.deb /run/xmppd-deb/
	make_view
	cp /run/xmppd-deb/*.deb "$view/tmp/"
	mount -t proc none "$view/proc"
	mkdir "$view/run/upper"
	mount --bind "$work/upper" "$view/run/upper"
	chroot "$view" bash -euc lifecycle
}

export -f make_view lifecycle run
export work view
unshare --mount --pid --net --fork bash -euc run > "$packages/log" 2>&1 || { cat "$packages/log" >&2; exit 1; }
echo "deb: built, installed, started, upgraded, removed and purged in $SECONDS s"

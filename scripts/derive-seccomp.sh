#!/bin/bash
# Writes config/openwrt/seccomp/xmppd.json, the system calls that xmppd may make in its jail on OpenWrt, from a traced run.
# To be run after a change of the dependencies or of what xmppd asks of the system; the test says when.
set -euo pipefail
cd "$(dirname "$0")/.."
XMPPD_DERIVE_SECCOMP=1 "${CARGO:-cargo}" test --quiet --locked --package xmppd-integration --test integration -- \
	--exact openwrt::seccomp::the_list_is_what_a_run_needs
git diff --stat -- config/openwrt/seccomp

//! What the OpenWrt package installs, on a stand-in of a device: a root directory with busybox, the real uci, and what the
//! package's Makefile installs there.

mod device;
mod hotplug;
mod init;
mod migration;
mod package;
mod seccomp;

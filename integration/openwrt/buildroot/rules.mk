# What the package's Makefile uses of OpenWrt's build system, so that the tests can run its recipes: `make install-PACKAGE`,
# `make conffiles-PACKAGE`.
INSTALL_DIR := install -d -m 0755
INSTALL_BIN := install -m 0755
INSTALL_DATA := install -m 0644
INSTALL_CONF := install -m 0600

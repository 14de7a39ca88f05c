# `make` alone lists the targets.
CARGO ?= cargo
DESTDIR ?=
SBINDIR ?= /usr/sbin
SYSCONFDIR ?= /etc
DATADIR ?= /usr/share
MANDIR ?= $(DATADIR)/man
OUT := $(or $(CARGO_TARGET_DIR),target)
LOCKED := --locked

.PHONY: help demo test docker-suite docker-demo docker-test docker-clean soak bench bench-short check fmt clippy shell doc deny samples \
	fuzz build install deb deb-test cross test-cross deps clean

help:
	@echo 'make demo              show xmppd at work: a server, connection requests, edits of its file'
	@echo 'make test TESTS=       run all tests, or those whose names contain one of these words, on real servers'
	@echo 'make docker-suite      run all tests in a container, where there is a Docker engine (docs/docker.md)'
	@echo 'make docker-demo       show xmppd on two CPEs behind NAT, in containers'
	@echo 'make docker-test TESTS= run the scenarios on several hosts, in containers'
	@echo 'make docker-clean      remove the images of the Docker harness, and what else it has made'
	@echo 'make soak TIME=60      look for leaks under random load, for TIME seconds'
	@echo 'make bench ROUNDS=5    measure xmppd beside a client in C, and its parts (docs/performance.md)'
	@echo 'make check             run all that CI runs: format, lints, shell scripts, documentation, dependencies, tests, samples, soak, benchmark'
	@echo 'make fuzz TARGET=      run a fuzz target (fuzz/README.md) for TIME seconds, by default 1200'
	@echo 'make build             build xmppd for installation'
	@echo 'make install DESTDIR=  install xmppd below DESTDIR; keeps an existing /etc/config/xmpp'
	@echo 'make deb                build the Debian packages of xmppd and connreq (docs/debian.md)'
	@echo 'make cross TARGET=     build xmppd for x86_64, aarch64, armv7 or mips, static with musl (docs/cross.md)'
	@echo 'make test-cross TARGET= run tests with that xmppd in an emulator, or those that TESTS= names'
	@echo 'make clean             remove all build products'

deps:
	@scripts/install-deps.sh

demo: deps
	@scripts/demo.sh

test: deps
	@CARGO='$(CARGO)' scripts/test.sh $(TESTS)

docker-suite:
	@integration/docker/suite.sh $(TESTS)

docker-demo:
	@scripts/docker-demo.sh

docker-test:
	@CARGO='$(CARGO)' integration/docker/run.sh $(TESTS)

docker-clean:
	@integration/docker/clean.sh

# Not concurrently with the tests, which would slow it down. The script has more modes.
soak: deps
	@CARGO='$(CARGO)' integration/soak.sh $(or $(TIME),60)

# Alone on the machine: SHORT=1 only shows that it runs.
bench:
	@CARGO='$(CARGO)' scripts/bench.sh $(if $(SHORT),short,$(or $(ROUNDS),5))

bench-short:
	@CARGO='$(CARGO)' scripts/bench.sh short

check: fmt shell clippy doc deny test samples deb-test soak bench-short

fmt:
	$(CARGO) fmt --all -- --check

# Scripts of the repository, and those of the package, which run with busybox's shell.
shell: deps
	@shellcheck -x -P integration/docker .ci/run scripts/*.sh integration/*.sh integration/*/*.sh \
		integration/docker/hosts/*.sh integration/openwrt/standins/* config/xmpp.init config/hotplug.d/iface/* \
		config/openwrt/uci-defaults/*

clippy:
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(LOCKED) --workspace --all-targets --all-features -- -D warnings
	$(CARGO) clippy $(LOCKED) --package xmppd-integration --test docker -- -D warnings

doc:
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc $(LOCKED) --no-deps --workspace --all-features

# Licences, sources, duplicates and known vulnerabilities of the dependencies.
deny:
	@scripts/deny.sh

# `xmppd check` must not find problems in the shipped files. The CA file that one of them names is created here.
samples:
	$(CARGO) build --quiet $(LOCKED) --package xmppd --bin xmppd
	@root=$$(mktemp -d) && trap 'rm -rf "$$root"' EXIT && \
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=samples \
		-keyout /dev/null -out "$$root/ca.pem" 2> /dev/null && \
	for file in config/xmpp config/samples/*.conf; do \
		install -D -m 600 "$$file" "$$root/$$file" && \
		sed -i "s#'/etc/ssl/certs/isp.pem'#'$$root/ca.pem'#" "$$root/$$file" && \
		output=$$(cd "$$root" && "$(abspath $(OUT))/debug/xmppd" check "$$file") && echo "$$output" && \
		[ "$$output" = "$$file: no problems" ] || exit 1; \
	done

fuzz:
	@scripts/fuzz.sh "$(TARGET)" $(TIME)

build:
	$(CARGO) build $(LOCKED) --release --package xmppd --bin xmppd

install: build
	install -D -m 755 $(OUT)/release/xmppd $(DESTDIR)$(SBINDIR)/xmppd
	@if [ -e $(DESTDIR)$(SYSCONFDIR)/config/xmpp ]; then \
		echo 'keeping $(DESTDIR)$(SYSCONFDIR)/config/xmpp'; \
	else \
		install -D -m 600 config/xmpp $(DESTDIR)$(SYSCONFDIR)/config/xmpp; \
	fi
	@for page in docs/xmppd.*[58]; do \
		install -D -m 644 "$$page" "$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}"; \
	done
	@install -D -m 644 completions/xmppd.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/xmppd
	@install -D -m 644 completions/_xmppd $(DESTDIR)$(DATADIR)/zsh/site-functions/_xmppd
	@install -D -m 644 completions/xmppd.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/xmppd.fish

# Into target/debian.
deb:
	@for package in xmppd connreq; do scripts/cargo-deb.sh --package "$$package" || exit 1; done

# The package of the debug build, installed and purged in a copy-on-write view of this machine's root.
deb-test:
	$(CARGO) build --quiet $(LOCKED) --package xmppd --bin xmppd
	@scripts/deb-test.sh

cross:
	@scripts/cross.sh '$(TARGET)'

test-cross:
	@CARGO='$(CARGO)' scripts/test-cross.sh '$(TARGET)' $(TESTS)

clean:
	$(CARGO) clean

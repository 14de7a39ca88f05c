# `make` alone says what there is.
CARGO ?= cargo
DESTDIR ?=
SBINDIR ?= /usr/sbin
SYSCONFDIR ?= /etc
MANDIR ?= /usr/share/man
OUT := $(or $(CARGO_TARGET_DIR),target)
LOCKED := --locked

.PHONY: help demo test soak check fmt clippy doc deny samples fuzz build install deps clean

help:
	@echo 'make demo              see it work: a server, xmppd, connection requests, edits of its file'
	@echo 'make test              run all tests, on real servers'
	@echo 'make soak TIME=60      everything that can happen, at random, for so many seconds: does xmppd leak?'
	@echo 'make check             everything that CI runs: format, lints, documentation, dependencies, tests, samples, soak'
	@echo 'make fuzz TARGET=      run one fuzz target (fuzz/README.md) for TIME seconds, 1200 if not given'
	@echo 'make build             build the xmppd to install'
	@echo 'make install DESTDIR=  install it (below DESTDIR); /etc/config/xmpp is kept if there is one'
	@echo 'make clean             remove what was built'

deps:
	@scripts/install-deps.sh

demo: deps
	@scripts/demo.sh

test: deps
	$(CARGO) test $(LOCKED) --workspace

# After the tests, never beside them: what else runs takes its time away. cycles and requests: see the script.
soak: deps
	@CARGO='$(CARGO)' integration/soak.sh $(or $(TIME),60)

check: fmt clippy doc deny test samples soak

fmt:
	$(CARGO) fmt --all -- --check

clippy:
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(LOCKED) --workspace --all-targets --all-features -- -D warnings

doc:
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc $(LOCKED) --no-deps --workspace --all-features

# Licences, sources, duplicates, known vulnerabilities of what xmppd is made of.
deny:
	@scripts/deny.sh

# `xmppd check` finds nothing in the shipped files. The CA file that one of them names is made for this check.
samples:
	$(CARGO) build --quiet $(LOCKED) --package xmppd --bin xmppd
	@root=$$(mktemp -d) && trap 'rm -rf "$$root"' EXIT && \
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=samples \
		-keyout /dev/null -out "$$root/ca.pem" 2> /dev/null && \
	for file in config/xmpp config/samples/*.conf; do \
		install -D -m 600 "$$file" "$$root/$$file" && \
		sed -i "s#'/etc/ssl/certs/isp.pem'#'$$root/ca.pem'#" "$$root/$$file" && \
		said=$$(cd "$$root" && "$(abspath $(OUT))/debug/xmppd" check "$$file") && echo "$$said" && \
		[ "$$said" = "$$file: no problems" ] || exit 1; \
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
	@for page in docs/*.8; do \
		[ ! -e "$$page" ] || install -D -m 644 "$$page" "$(DESTDIR)$(MANDIR)/man8/$${page##*/}"; \
	done

clean:
	$(CARGO) clean

RUST_ARCH_DEPENDS := @(aarch64||arm||x86_64)

define BuildPackage
.PHONY: install-$(1) conffiles-$(1)
install-$(1):
	$(call Package/$(1)/install,$(DESTDIR))

conffiles-$(1):
	@printf '%s\n' $(call Package/$(1)/conffiles)
endef

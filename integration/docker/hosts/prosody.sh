#!/bin/sh
# An XMPP server for DOMAIN, with ACCOUNTS (names with blanks between them) whose password is PASSWORD. SETTINGS are further
# lines of its configuration. Certificates and keys are made at each start of a new container; the CA's is put into /trust.
set -eu
cd /srv/xmpp
: "${DOMAIN:?}" "${PASSWORD:?}" "${ACCOUNTS:?}"

if [ ! -e server.key ]; then
	cat > openssl.cnf <<-END
		[req]
		distinguished_name = name
		[name]
		[ca]
		basicConstraints = critical,CA:TRUE
		keyUsage = critical,keyCertSign
		[server]
		basicConstraints = critical,CA:FALSE
		subjectAltName = DNS:$DOMAIN
	END
	new() {
		openssl req -config openssl.cnf -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "$@" \
			2> openssl.log || { cat openssl.log >&2; exit 1; }
	}
	umask 077
	new -subj "/CN=CA of $(hostname)" -extensions ca -keyout ca.key -out ca.pem
	new -subj "/CN=$DOMAIN" -extensions server -CA ca.pem -CAkey ca.key -keyout server.key -out server.crt
	umask 022
	cat ca.pem > "/trust/$(hostname).pem"
fi

accounts=data/$(echo "$DOMAIN" | sed 's/\./%2e/g; s/-/%2d/g')/accounts
mkdir -p "$accounts"
for name in $ACCOUNTS; do
	printf 'return { ["password"] = "%s"; };\n' "$PASSWORD" > "$accounts/$name.dat"
done

cat > prosody.cfg.lua <<END
pidfile = "/srv/xmpp/prosody.pid"
data_path = "/srv/xmpp/data"
plugin_paths = { "/usr/local/share/prosody" }
log = { info = "*console" }
sessions_view_file = "/dev/stdout"
interfaces = { "*", "::" }
c2s_ports = { 5222 }
c2s_direct_tls_ports = { 5223 }
c2s_require_encryption = true
modules_enabled = { "roster"; "saslauth"; "tls"; "disco"; "ping"; "posix"; "smacks"; "sessions_view" }
modules_disabled = { "s2s"; "s2s_auth_certs" }
authentication = "internal_plain"
${SETTINGS:-}
VirtualHost "$DOMAIN"
  ssl = { certificate = "/srv/xmpp/server.crt"; key = "/srv/xmpp/server.key" }
END
exec prosody -F --config prosody.cfg.lua

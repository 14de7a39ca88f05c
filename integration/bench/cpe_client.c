/* What xmppd is compared with: the least that a CPE's client does, on libstrophe. It connects with STARTTLS, sends presence,
 * answers connection requests (TR-069 Annex K), and starts a command for each without waiting for it. One connection,
 * settings from the command line, no retries, no checks of the sender.
 *
 * cpe_client JID PASSWORD HOST PORT CA_FILE USERNAME SECRET COMMAND
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strophe.h>
#include <sys/wait.h>

#define CONNECTION_REQUEST "urn:broadband-forum-org:cwmp:xmppConnReq-1-0"

extern char **environ;

struct client {
	xmpp_ctx_t *ctx;
	const char *username, *secret, *command;
};

/* Collects the commands that have ended, so that their CPU time counts as that of children. */
static void collect(int signal)
{
	int saved = errno;

	(void)signal;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

static void start_command(const char *command)
{
	char *arguments[] = {(char *)command, NULL};
	pid_t pid;

	if (posix_spawn(&pid, command, NULL, NULL, arguments, environ) != 0)
		fprintf(stderr, "%s cannot be started\n", command);
}

static int child_is(xmpp_stanza_t *parent, const char *name, const char *expected)
{
	xmpp_stanza_t *child = xmpp_stanza_get_child_by_name(parent, name);
	char *text = child ? xmpp_stanza_get_text(child) : NULL;
	int equal = text && strcmp(text, expected) == 0;

	if (text)
		xmpp_free(xmpp_stanza_get_context(parent), text);
	return equal;
}

static int on_request(xmpp_conn_t *conn, xmpp_stanza_t *iq, void *data)
{
	struct client *client = data;
	xmpp_stanza_t *request = xmpp_stanza_get_child_by_ns(iq, CONNECTION_REQUEST);
	xmpp_stanza_t *answer;

	if (request && child_is(request, "username", client->username) && child_is(request, "password", client->secret)) {
		answer = xmpp_stanza_reply(iq);
		xmpp_stanza_set_type(answer, "result");
		start_command(client->command);
	} else {
		answer = xmpp_stanza_reply_error(iq, "cancel", request ? "not-authorized" : "service-unavailable", NULL);
	}
	xmpp_send(conn, answer);
	xmpp_stanza_release(answer);
	return 1;
}

static void on_event(xmpp_conn_t *conn, xmpp_conn_event_t event, int error, xmpp_stream_error_t *stream_error, void *data)
{
	struct client *client = data;

	(void)stream_error;
	if (event == XMPP_CONN_CONNECT) {
		xmpp_stanza_t *presence = xmpp_presence_new(client->ctx);

		xmpp_handler_add(conn, on_request, NULL, "iq", "get", client);
		xmpp_send(conn, presence);
		xmpp_stanza_release(presence);
	} else {
		fprintf(stderr, "disconnected: error %d\n", error);
		xmpp_stop(client->ctx);
	}
}

int main(int argc, char **argv)
{
	struct client client;
	xmpp_conn_t *conn;

	if (argc != 9) {
		fprintf(stderr, "usage: cpe_client JID PASSWORD HOST PORT CA_FILE USERNAME SECRET COMMAND\n");
		return 2;
	}
	signal(SIGCHLD, collect);
	xmpp_initialize();
	client.ctx = xmpp_ctx_new(NULL, NULL);
	client.username = argv[6];
	client.secret = argv[7];
	client.command = argv[8];
	conn = xmpp_conn_new(client.ctx);
	xmpp_conn_set_flags(conn, XMPP_CONN_FLAG_MANDATORY_TLS);
	xmpp_conn_set_jid(conn, argv[1]);
	xmpp_conn_set_pass(conn, argv[2]);
	xmpp_conn_set_cafile(conn, argv[5]);
	if (xmpp_connect_client(conn, argv[3], (unsigned short)atoi(argv[4]), on_event, &client) != XMPP_EOK) {
		fprintf(stderr, "cannot connect\n");
		return 1;
	}
	xmpp_run(client.ctx);
	xmpp_conn_release(conn);
	xmpp_ctx_free(client.ctx);
	xmpp_shutdown();
	return 1;
}

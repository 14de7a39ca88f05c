-- Writes what the server sees of its clients' sessions to a file: one line per event, fields separated by tabs.
--
--   time  event  full-jid  remote-port  session-id  detail
--
-- started    the server accepts connections                        (no further fields)
-- bind       a resource was bound
-- unbind     the session is gone; detail says how it ended:
--            closed-by-client, closed-by-server CONDITION, connection-lost
-- hibernate  the connection was lost, the session can be resumed (XEP-0198)
-- resume     the session goes on, on the connection with this port
--
-- With presence_view_file, also writes the time and full JID of each client's initial presence to that file.
--
-- The port is the client's, so two lines with the same one (and no end in between) are the same TCP connection.

module:set_global();

local now = require "util.time".now;
local path = module:get_option_string("sessions_view_file");
local file = assert(io.open(path, "a"));
file:setvbuf("line");
local presence_path = module:get_option_string("presence_view_file");
local presences = presence_path and assert(io.open(presence_path, "a"));
if presences then presences:setvbuf("line"); end

local function write(event, session, detail)
	local conn = session and session.conn;
	local port = conn and conn:clientport() or session and session.view_port or 0;
	if session then
		session.view_port = port;
		session.view_id = session.view_id or session.id or tostring(session):match("0x%x+") or "-";
	end
	file:write(table.concat({
		string.format("%.6f", now()), event,
		session and session.full_jid or "-", string.format("%d", port),
		session and session.view_id or "-", detail or "-",
	}, "\t"), "\n");
end

module:hook("server-started", function () write("started"); end);

function module.add_host(module)
	module:hook("resource-bind", function (event) write("bind", event.session); end);

	-- reason: false = the client ended the stream, nil or an error = the server did.
	module:hook("pre-session-close", function (event)
		local session, reason = event.session, event.reason;
		if session.view_end then return; end
		if reason == false then
			session.view_end = "closed-by-client";
		else
			local condition = type(reason) == "table" and reason.condition or reason;
			session.view_end = "closed-by-server " .. tostring(condition or "-");
		end
	end, 100);

	module:hook("resource-unbind", function (event)
		write("unbind", event.session, event.session.view_end or "connection-lost");
	end);

	if presences then
		module:hook("presence/initial", function (event)
			presences:write(string.format("%.6f\t%s\n", now(), event.origin.full_jid));
		end);
	end

	module:hook("smacks-hibernation-start", function (event) write("hibernate", event.origin); end);
	module:hook("smacks-hibernation-end", function (event) write("resume", event.resumed); end);
end

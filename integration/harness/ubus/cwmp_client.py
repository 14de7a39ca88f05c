"""A CWMP client on ubus: publishes tr069 with its method inform, answers as a certain one does, and writes each call down.

usage: cwmp_client.py SOCKET DIRECTORY

DIRECTORY/behaviour is JSON, read at each call:
  kind      icwmp2018, icwmp2022 or easycwmp: which events are taken, and how that is answered
  replies   tables to answer with in place of what the kind would; {"!int64": 1} is a number of that type
  status    the status to end the call with
  delay     seconds before the answer; the next call is answered meanwhile
  hold      nothing is answered until that is gone
  fate      never: no answer at all; die: the process ends during the call; twice: data and status are sent twice

Each call becomes a file in DIRECTORY/calls named after its time; NAME.end follows with the status that ends the call."""

import json
import os
import select
import sys
import time

import wire
from wire import A_DATA, A_ID, A_METHOD, A_STATUS, DATA, INVALID_ARGUMENT, INVOKE, METHOD_NOT_FOUND, OK, STATUS, Typed

SOCKET, DIRECTORY = sys.argv[1:3]
TYPES = {"!int64": wire.INT64, "!int16": wire.INT16, "!int32": wire.INT32, "!double": wire.DOUBLE}


def behaviour():
    with open(f"{DIRECTORY}/behaviour", encoding="utf-8") as file:
        return json.load(file)


def typed(value):
    if isinstance(value, dict):
        for name, kind in TYPES.items():
            if set(value) == {name}:
                return Typed(kind, value[name])
        return {name: typed(item) for name, item in value.items()}
    return [typed(item) for item in value] if isinstance(value, list) else value


def write(path, text):
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".part", path)


STARTED = {"status": 1, "info": "Session started"}
UNKNOWN = {"status": -1, "info": "not able to get the event code"}


def judged(kind, arguments):
    """The tables and the status that this kind of client answers with."""
    event = arguments.get("event")
    if not isinstance(event, str):
        return [], INVALID_ARGUMENT
    if kind == "icwmp2018":
        # It looks at the leading number.
        return [STARTED if event.split(" ")[0] == "6" else UNKNOWN], OK
    if kind == "icwmp2022":
        return [STARTED if event == "6 CONNECTION REQUEST" else UNKNOWN], OK
    # easycwmp says nothing when all is well.
    return [], OK if event.lower() == "6 connection request" else INVALID_ARGUMENT


class Call:
    def __init__(self, message):
        self.message, self.begun = message, time.time()
        self.file = f"{DIRECTORY}/calls/{self.begun:.9f}.{message.seq}"
        write(self.file, json.dumps([message.get(A_METHOD), message.get(A_DATA, {})]))

    def due(self, now):
        """Seconds until it may be answered."""
        rules = behaviour()
        return 0.02 if rules.get("hold") else self.begun + rules.get("delay", 0) - now

    def answer(self, connection, object):
        rules = behaviour()
        if self.message.get(A_METHOD) != "inform":
            replies, status = [], METHOD_NOT_FOUND
        else:
            replies, status = judged(rules.get("kind", "icwmp2022"), self.message.get(A_DATA, {}))
            replies, status = rules.get("replies", replies), rules.get("status", status)
        fate = rules.get("fate")
        if fate == "never":
            return
        if fate == "die":
            os._exit(1)
        write(self.file + ".end", str(status))
        for _ in range(2 if fate == "twice" else 1):
            for reply in replies:
                connection.send(DATA, self.message.seq, self.message.peer, (A_ID, object), (A_DATA, typed(reply)))
            connection.send(STATUS, self.message.seq, self.message.peer, (A_STATUS, status), (A_ID, object))


def serve():
    connection = wire.Connection(SOCKET)
    methods = {"GetRPCMethods": wire.INT32, "event": wire.STRING}
    status, object = connection.add_object("tr069", {"inform": methods})
    if status != OK:
        raise EOFError
    # Now it can be called; whoever waits for that waits for this file.
    write(f"{DIRECTORY}/ready", str(object))
    calls = []
    while True:
        now = time.time()
        for call in [call for call in calls if call.due(now) <= 0]:
            calls.remove(call)
            call.answer(connection, object)
        wait = min((call.due(now) for call in calls), default=None)
        if not connection.queue and not select.select([connection.socket], [], [], wait and max(wait, 0))[0]:
            continue
        message = connection.next()
        if message.kind == INVOKE:
            calls.append(Call(message))


while True:
    try:
        serve()
    except (OSError, EOFError, wire.Violation, AssertionError):
        # procd would start it again.
        if os.path.exists(f"{DIRECTORY}/ready"):
            os.remove(f"{DIRECTORY}/ready")
        time.sleep(0.05)

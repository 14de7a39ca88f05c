"""The part of the ubus program that the tests use, with its output and its exit statuses.

usage: ubus.py -s SOCKET [-t SECONDS] call PATH METHOD [JSON] | list [PATH] | -v list PATH | listen [EVENT...]"""

import json
import socket
import sys

import wire
from wire import A_DATA, A_ID, A_METHOD, A_PATH, A_SIGNATURE, INVOKE, NOT_FOUND, OK, STATUS, TIMEOUT

TYPES = {1: "Array", 2: "Table", 3: "String", 4: "Integer", 5: "Integer", 6: "Integer", 7: "Boolean", 8: "Double"}


def fail(status, words=""):
    print(f"Command failed: {words and words + ' '}{'(' if words else ''}{wire.WORDS[status]}{')' if words else ''}",
          file=sys.stderr)
    sys.exit(status if not words else 256 - status)


def show(table):
    print(json.dumps(table, indent="\t", ensure_ascii=False))


def call(connection, path, method, text="{}"):
    status, found = connection.lookup(path)
    if status != OK:
        fail(status)
    try:
        status, replies = connection.call(found[0].need(A_ID), method, json.loads(text))
    except socket.timeout:
        status, replies = TIMEOUT, []
    for reply in replies:
        show(reply)
    if status != OK:
        fail(status, f"ubus call {' '.join(sys.argv[sys.argv.index('call') + 1:])}")


def list_objects(connection, verbose, pattern=None):
    status, found = connection.lookup(pattern)
    if status != OK:
        fail(status)
    for object in found:
        if not verbose:
            print(object.need(A_PATH))
            continue
        print(f"'{object.need(A_PATH)}' @{object.need(A_ID):08x}")
        for method, arguments in object.get(A_SIGNATURE, {}).items():
            types = {name: TYPES[kind] for name, kind in arguments.items()}
            print(f'\t"{method}":{json.dumps(types, separators=(",", ":"))}')


def listen(connection, patterns):
    _, id = connection.add_object(None, {})
    for pattern in patterns or ["*"]:
        signed = id - (1 << 32) if id >> 31 else id
        status, _ = connection.call(1, "register", {"object": signed, "pattern": pattern})
        if status != OK:
            fail(status)
    while True:
        event = connection.next()
        if event.kind == INVOKE:
            print(json.dumps({event.need(A_METHOD): event.get(A_DATA, {})}, ensure_ascii=False), flush=True)


def main():
    arguments, timeout, path, verbose = sys.argv[1:], 30, "/var/run/ubus/ubus.sock", False
    while arguments and arguments[0].startswith("-"):
        option = arguments.pop(0)
        if option == "-v":
            verbose = True
        elif option == "-s":
            path = arguments.pop(0)
        elif option == "-t":
            timeout = float(arguments.pop(0))
    command = arguments.pop(0)
    try:
        connection = wire.Connection(path, None if command == "listen" else timeout)
    except OSError:
        print("Failed to connect to ubus", file=sys.stderr)
        sys.exit(255)
    if command == "call":
        call(connection, *arguments)
    elif command == "list":
        list_objects(connection, verbose, *arguments)
    else:
        listen(connection, arguments)


try:
    main()
except (KeyboardInterrupt, EOFError):
    sys.exit(1)

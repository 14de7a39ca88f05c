"""A ubusd that does what the real one was seen to do, and writes down what libubus would not have sent.

usage: ubusd.py SOCKET VIOLATIONS"""

import os
import random
import select
import socket
import sys

from wire import (A_DATA, A_GROUP, A_ID, A_METHOD, A_NO_REPLY, A_PATH, A_SIGNATURE, A_STATUS, A_TYPE, A_USER, ADD_OBJECT,
                  DATA, HELLO, INVALID_ARGUMENT, INVALID_COMMAND, INVOKE, LOOKUP, NOT_FOUND, OK, PING, REMOVE_OBJECT,
                  STATUS, Stream, Violation, message)

SYSTEM = 1

clients, objects, listeners = {}, {}, []
event_seq = 0


def new_id(taken):
    while True:
        id = random.randrange(1024, 1 << 32)
        if id not in taken:
            return id


class Object:
    def __init__(self, client, path, signature):
        self.id, self.client, self.path, self.signature = new_id(objects), client, path, signature
        self.type = new_id(objects) if signature is not None else None

    def described(self):
        pairs = [(A_PATH, self.path), (A_ID, self.id)]
        return pairs + ([(A_TYPE, self.type), (A_SIGNATURE, self.signature)] if self.signature is not None else [])

    def identified(self):
        return [(A_ID, self.id)] + ([(A_TYPE, self.type)] if self.type else [])


class Client:
    def __init__(self, connection):
        self.socket, self.id, self.stream, self.output = connection, new_id(clients), Stream(), b""
        connection.setblocking(False)
        clients[self.id] = self
        self.send(HELLO, 0, self.id)

    def send(self, *words):
        # The real one drops what finds no room, too.
        if len(self.output) < 1 << 20:
            self.output += message(*words)
        self.flush()

    def flush(self):
        try:
            while self.output:
                self.output = self.output[self.socket.send(self.output):]
        except BlockingIOError:
            pass
        except OSError:
            self.output = b""

    def close(self):
        del clients[self.id]
        self.socket.close()
        for object in [object for object in objects.values() if object.client is self]:
            remove(object)

    def receive(self):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        try:
            for message in self.stream.feed(data):
                self.handle(message)
        except Violation as violation:
            with open(sys.argv[2], "a", encoding="utf-8") as file:
                file.write(f"{violation}\n")
            self.close()

    def handle(self, message):
        if message.kind in (DATA, STATUS):
            forward_answer(message)
            return
        answer = REQUESTS.get(message.kind, lambda *_: INVALID_COMMAND)(self, message)
        if answer is not None:
            self.send(STATUS, message.seq, message.peer, (A_STATUS, answer))


def ping(_client, _message):
    return OK


def lookup(client, message):
    pattern, found = message.get(A_PATH), False
    for object in list(objects.values()):
        if object.path and (pattern is None or matches(pattern, object.path)):
            client.send(DATA, message.seq, message.peer, *object.described())
            found = True
    return OK if found or pattern is None else NOT_FOUND


def matches(pattern, name):
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == name


def invoke(client, message):
    id, method = message.need(A_ID), message.need(A_METHOD)
    message.need(A_DATA)
    if id != message.peer:
        raise Violation("an invocation of another object than its header says")
    if id == SYSTEM:
        return system(client, method, message)
    object = objects.get(id)
    if object is None:
        return NOT_FOUND
    attributes = [(A_ID, id), (A_METHOD, method), (A_USER, "root"), (A_GROUP, "root")]
    if message.get(A_NO_REPLY):
        attributes.append((A_NO_REPLY, b"\1"))
    object.client.send(INVOKE, message.seq, client.id, *attributes, (A_DATA, message.raw[A_DATA]))
    return None


def forward_answer(message):
    object, caller = objects.get(message.need(A_ID)), clients.get(message.peer)
    if message.kind == STATUS:
        message.need(A_STATUS)
    if object and caller:
        raw = [(id, payload) for id, payload in message.raw.items()]
        caller.send(message.kind, message.seq, object.id, *raw)


def system(client, method, message):
    arguments = message.get(A_DATA)
    if method == "register":
        object = objects.get(arguments["object"] & 0xffffffff)
        if object is None or object.client is not client:
            return INVALID_ARGUMENT
        listeners.append((object, arguments["pattern"]))
        return OK
    if method == "send":
        if set(arguments) != {"id", "data"} or not isinstance(arguments["data"], dict):
            raise Violation(f"an event that is none: {arguments}")
        send_event(arguments["id"], arguments["data"])
        return OK
    return NOT_FOUND


def send_event(id, data):
    global event_seq
    for object, pattern in list(listeners):
        if matches(pattern, id):
            event_seq = event_seq + 1 & 0xffff
            object.client.send(INVOKE, event_seq, 0, (A_ID, object.id), (A_METHOD, id), (A_DATA, data))


def signed(id):
    return id - (1 << 32) if id >> 31 else id


def add_object(client, message):
    path, signature = message.get(A_PATH), message.get(A_SIGNATURE)
    if path and any(object.path == path for object in objects.values()):
        return INVALID_ARGUMENT
    object = Object(client, path, message.raw.get(A_SIGNATURE) if signature is not None else None)
    objects[object.id] = object
    if path:
        send_event("ubus.object.add", {"id": signed(object.id), "path": path})
    client.send(DATA, message.seq, message.peer, *object.identified())
    return OK


def remove_object(client, message):
    object = objects.get(message.need(A_ID))
    if object is None or object.client is not client:
        return NOT_FOUND
    client.send(DATA, message.seq, message.peer, *object.identified())
    remove(object)
    return OK


def remove(object):
    del objects[object.id]
    listeners[:] = [listener for listener in listeners if listener[0] is not object]
    if object.path:
        send_event("ubus.object.remove", {"id": signed(object.id), "path": object.path})


REQUESTS = {PING: ping, LOOKUP: lookup, INVOKE: invoke, ADD_OBJECT: add_object, REMOVE_OBJECT: remove_object}


def main():
    path = sys.argv[1]
    if os.path.exists(path):
        os.remove(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path + ".new")
    listening.listen(64)
    os.rename(path + ".new", path)
    while True:
        reading = [listening] + [client.socket for client in clients.values()]
        writing = [client.socket for client in clients.values() if client.output]
        readable, writable, _ = select.select(reading, writing, [])
        for ready in writable:
            for client in list(clients.values()):
                if client.socket is ready:
                    client.flush()
        for ready in readable:
            if ready is listening:
                Client(listening.accept()[0])
            for client in list(clients.values()):
                if client.socket is ready:
                    client.receive()


main()

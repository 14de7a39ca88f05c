"""The protocol of ubus (ubusmsg.h, blob.h, blobmsg.h), written apart from the daemon's, and strict: what libubus would not
send is a Violation."""

import socket
import struct

HELLO, STATUS, DATA, PING, LOOKUP, INVOKE, ADD_OBJECT, REMOVE_OBJECT = range(8)
A_STATUS, A_PATH, A_ID, A_METHOD, A_TYPE, A_SIGNATURE, A_DATA = range(1, 8)
A_NO_REPLY, A_USER, A_GROUP = 10, 12, 13

OK, INVALID_COMMAND, INVALID_ARGUMENT, METHOD_NOT_FOUND, NOT_FOUND, NO_DATA, PERMISSION_DENIED, TIMEOUT = range(8)
WORDS = ["Success", "Invalid command", "Invalid argument", "Method not found", "Not found", "No response",
         "Permission denied", "Request timed out", "Operation not supported", "Unknown error", "Connection failed",
         "Out of memory", "Parsing message data failed", "System error"]

ARRAY, TABLE, STRING, INT64, INT32, INT16, BOOL, DOUBLE = range(1, 9)
FORMATS = {INT64: ">q", INT32: ">i", INT16: ">h", DOUBLE: ">d"}

MAX_LENGTH = 1 << 20


class Violation(Exception):
    pass


class Typed:
    """A value that is to be sent with another type than the one that its Python type suggests."""

    def __init__(self, kind, value):
        self.kind, self.value = kind, value


def attribute(id, payload, extended=False):
    header = struct.pack(">I", (0x80000000 if extended else 0) | id << 24 | len(payload) + 4)
    return header + payload + bytes(-len(payload) % 4)


def split(data):
    """The attributes in data, as (extended, id, payload)."""
    at, found = 0, []
    while at < len(data):
        if len(data) - at < 4:
            raise Violation("bytes behind the last attribute")
        word, = struct.unpack_from(">I", data, at)
        length = word & 0xffffff
        if length < 4 or at + length > len(data):
            raise Violation(f"an attribute of length {length}, {len(data) - at} bytes are left")
        end = at + length + -length % 4
        if any(data[at + length:end]) or end > len(data):
            raise Violation("padding that is missing or not zero")
        found.append((word >> 31, word >> 24 & 0x7f, data[at + 4:at + length]))
        at = end
    return found


def string(payload):
    if not payload or payload[-1] != 0 or 0 in payload[:-1]:
        raise Violation(f"a string that does not end with its only NUL: {payload!r}")
    return payload[:-1].decode()


def number(payload):
    if len(payload) != 4:
        raise Violation(f"a number of {len(payload)} bytes")
    return struct.unpack(">I", payload)[0]


def pack_value(name, value):
    if isinstance(value, Typed):
        kind, value = value.kind, value.value
    elif isinstance(value, bool):
        kind = BOOL
    elif isinstance(value, int):
        kind = INT32 if -1 << 31 <= value < 1 << 31 else INT64
    else:
        kind = {dict: TABLE, list: ARRAY, str: STRING, float: DOUBLE}[type(value)]
    encoded = name.encode()
    header = struct.pack(">H", len(encoded)) + encoded + b"\0"
    header += bytes(-len(header) % 4)
    if kind == TABLE:
        payload = pack_table(value)
    elif kind == ARRAY:
        payload = b"".join(pack_value("", item) for item in value)
    elif kind == STRING:
        payload = value.encode() + b"\0"
    elif kind == BOOL:
        payload = bytes([bool(value)])
    else:
        payload = struct.pack(FORMATS[kind], value)
    return attribute(kind, header + payload, extended=True)


def pack_table(table):
    return b"".join(pack_value(name, value) for name, value in table.items())


def unpack(data, depth=1):
    """A list of (name, value)."""
    if depth > 64:
        raise Violation("nested too deeply")
    found = []
    for extended, kind, payload in split(data):
        if not extended or len(payload) < 2:
            raise Violation("a value without a name")
        length, = struct.unpack_from(">H", payload)
        name = string(payload[2:length + 3])
        if len(name.encode()) != length:
            raise Violation("a name of another length than it says")
        start = length + 3 + -(length + 3) % 4
        if any(payload[length + 3:start]) or start > len(payload):
            raise Violation("the padding of a name")
        payload = payload[start:]
        if kind == TABLE:
            value = unpack_table(payload, depth + 1)
        elif kind == ARRAY:
            value = [item for _, item in unpack(payload, depth + 1)]
        elif kind == STRING:
            value = string(payload)
        elif kind == BOOL:
            if len(payload) != 1:
                raise Violation("a bool of another length than 1")
            value = payload != b"\0"
        elif kind in FORMATS:
            if len(payload) != struct.calcsize(FORMATS[kind]):
                raise Violation("a number of the wrong size")
            value, = struct.unpack(FORMATS[kind], payload)
        else:
            raise Violation(f"a value of type {kind}")
        found.append((name, value))
    return found


def unpack_table(data, depth=1):
    entries = unpack(data, depth)
    if len(dict(entries)) != len(entries):
        raise Violation("a name twice in a table")
    return dict(entries)


READERS = {A_STATUS: number, A_PATH: string, A_ID: number, A_METHOD: string, A_TYPE: number, A_SIGNATURE: unpack_table,
           A_DATA: unpack_table, A_NO_REPLY: lambda payload: payload != b"\0", A_USER: string, A_GROUP: string}


def message(kind, seq, peer, *attributes):
    """Attributes are pairs: an id, and its payload as bytes, a string, a number, or a table."""
    body = b""
    for id, value in attributes:
        if isinstance(value, str):
            value = value.encode() + b"\0"
        elif isinstance(value, int):
            value = struct.pack(">I", value)
        elif isinstance(value, dict):
            value = pack_table(value)
        body += attribute(id, value)
    return struct.pack(">BBHII", 0, kind, seq, peer, len(body) + 4) + body


class Message:
    def __init__(self, kind, seq, peer, body):
        self.kind, self.seq, self.peer = kind, seq, peer
        self.raw = {id: payload for _, id, payload in split(body)}
        self.attributes = {id: READERS[id](payload) for id, payload in self.raw.items() if id in READERS}

    def get(self, id, default=None):
        return self.attributes.get(id, default)

    def need(self, id):
        if id not in self.attributes:
            raise Violation(f"a message of type {self.kind} without attribute {id}")
        return self.attributes[id]


class Stream:
    """What has been received, and the messages in it."""

    def __init__(self):
        self.input = b""

    def feed(self, data):
        self.input += data
        while len(self.input) >= 12:
            version, kind, seq, peer, word = struct.unpack_from(">BBHII", self.input)
            length = word & 0xffffff
            if version or word >> 24 or not 4 <= length <= MAX_LENGTH:
                raise Violation(f"a header of version {version}, with a blob {word:08x}")
            if len(self.input) < 8 + length:
                return
            body, self.input = self.input[12:8 + length], self.input[8 + length:]
            yield Message(kind, seq, peer, body)


class Connection:
    """A client's connection to ubusd, which waits for its answers."""

    def __init__(self, path, timeout=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.stream, self.queue, self.seq = Stream(), [], 0
        assert self.next().kind == HELLO

    def next(self):
        """The next message; an EOFError when the connection has ended."""
        while not self.queue:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.queue.extend(self.stream.feed(data))
        return self.queue.pop(0)

    def send(self, kind, seq, peer, *attributes):
        self.socket.sendall(message(kind, seq, peer, *attributes))

    def request(self, kind, peer, *attributes):
        """The status, and the DATA messages before it."""
        self.seq += 1
        self.send(kind, self.seq, peer, *attributes)
        answers = []
        while True:
            answer = self.next()
            if answer.seq == self.seq and answer.kind == DATA:
                answers.append(answer)
            elif answer.seq == self.seq and answer.kind == STATUS:
                return answer.need(A_STATUS), answers

    def lookup(self, path):
        status, answers = self.request(LOOKUP, 0, *([(A_PATH, path)] if path else []))
        return status, answers

    def call(self, object, method, arguments):
        status, answers = self.request(INVOKE, object, (A_ID, object), (A_METHOD, method), (A_DATA, arguments))
        return status, [answer.get(A_DATA, {}) for answer in answers]

    def add_object(self, path, methods):
        attributes = [(A_PATH, path), (A_SIGNATURE, methods)] if path else []
        status, answers = self.request(ADD_OBJECT, 0, *attributes)
        return status, answers[0].need(A_ID) if answers else None

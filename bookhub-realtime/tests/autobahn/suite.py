"""The cases of the Autobahn test suite, run from Python 3.

The suite is Python 2 and drives its cases with a library of that time. The cases themselves say what
is sent, what is expected and how the outcome is judged; they are taken from the installed package
as they stand, translated by fissix (2to3), and driven by the small peer below. A text of Python 2 is
bytes: here it is a text of the characters 0 to 255.

Left out: 1.2, 9.2, 9.4, 9.6 and 9.8, which want binary messages back (the protocol of the hub has
none, so the library counts them and keeps nothing); 12 and 13, compression, which is not offered.
"""

import asyncio
import base64
import hashlib
import json
import os
import pathlib
import re
import struct
import sys
import time
import types
from collections import Counter
from importlib.util import find_spec

from fissix.refactor import RefactoringTool

LEFT_OUT = ("1.2", "9.2", "9.4", "9.6", "9.8", "12", "13")
AT_A_TIME = 16


class States:
    STATE_CLOSED, STATE_CONNECTING, STATE_CLOSING, STATE_OPEN = range(4)


class Peer(asyncio.Protocol, States):
    """What the cases call `self.p`: the names are theirs."""

    CLOSE_STATUS_CODE_NORMAL = 1000
    CLOSE_STATUS_CODE_PROTOCOL_ERROR = 1002
    CLOSE_STATUS_CODE_INVALID_PAYLOAD = 1007
    factory = types.SimpleNamespace(isServer=False)

    def __init__(self, case_class):
        self.state = self.STATE_CONNECTING
        self.connectionWasOpen = self.closedByMe = self.failedByMe = self.droppedByMe = False
        self.wasClean = False
        self.remoteCloseCode = self.localCloseCode = self.localCloseReason = None
        self.createWirelog = True
        self.autoFragmentSize = 0
        self.txFrameStats = Counter()
        self.unread = bytearray()
        self.begun = None
        self.over = asyncio.get_running_loop().create_future()
        self.case = case_class(self)

    # The connection.

    def connection_made(self, transport):
        self.transport = transport
        self.key = base64.b64encode(os.urandom(16))
        transport.write(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + self.key + b"\r\n\r\n"
        )

    def data_received(self, data):
        self.unread += data
        if self.state == self.STATE_CONNECTING:
            head, end, rest = bytes(self.unread).partition(b"\r\n\r\n")
            if not end:
                return
            magic = self.key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(magic).digest())
            assert head.startswith(b"HTTP/1.1 101 ") and accept in head, head
            self.unread = bytearray(rest)
            self.state = self.STATE_OPEN
            self.connectionWasOpen = True
            self.case.onOpen()
        while self.state != self.STATE_CLOSED and self.read_frame():
            pass

    def connection_lost(self, _error):
        self.state = self.STATE_CLOSED
        self.case.onConnectionLost(self.failedByMe)
        self.over.set_result(None)

    def later(self, delay, do):
        def unless_closed():
            if self.state != self.STATE_CLOSED:
                do()

        asyncio.get_running_loop().call_later(delay, unless_closed)

    def drop(self):
        self.droppedByMe, self.wasClean = True, False
        self.transport.abort()

    def fail(self):
        self.failedByMe = True
        self.drop()

    # Reading.

    def read_frame(self):
        if len(self.unread) < 2:
            return False
        first, length = self.unread[0], self.unread[1]
        start = 2
        if length in (126, 127):
            start = 4 if length == 126 else 10
            if len(self.unread) < start:
                return False
            length = int.from_bytes(self.unread[2:start], "big")
        if len(self.unread) < start + length:
            return False
        payload = bytes(self.unread[start : start + length])
        del self.unread[: start + length]
        assert first & 0xF0 == 0x80, "a server neither fragments nor knows extensions here"
        opcode = first & 0x0F
        if opcode == 1:
            payload.decode("utf-8")
        text = payload.decode("latin-1")
        if opcode in (1, 2):
            if self.state == self.STATE_OPEN:
                self.case.onMessage(text, opcode == 2)
        elif opcode == 9:
            self.case.onPing(text)
        elif opcode == 10:
            if self.state == self.STATE_OPEN:
                self.case.onPong(text)
        elif opcode == 8:
            self.read_close(payload)
        else:
            raise AssertionError(f"opcode {opcode}")
        return True

    def read_close(self, payload):
        assert len(payload) != 1
        payload[2:].decode("utf-8")
        if payload:
            (self.remoteCloseCode,) = struct.unpack(">H", payload[:2])
        self.wasClean = True
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(self.remoteCloseCode, isReply=True)
        self.case.onClose(True, self.remoteCloseCode, payload[2:].decode("utf-8"))
        # The server is to end the connection.
        self.later(1, self.drop)

    # What cases do.

    def write(self, data, chopsize=None):
        for at in range(0, len(data), chopsize or max(len(data), 1)):
            self.transport.write(data[at : at + (chopsize or len(data))])

    def header(self, opcode, length, fin, rsv):
        self.txFrameStats[opcode] += 1
        first = (0x80 if fin else 0) | rsv << 4 | opcode
        if length < 126:
            return struct.pack(">BB", first, 0x80 | length)
        if length < 0x10000:
            return struct.pack(">BBH", first, 0xFE, length)
        return struct.pack(">BBQ", first, 0xFF, length)

    def sendFrame(self, opcode, payload="", fin=True, rsv=0, mask=None, payload_len=None,
                  chopsize=None, sync=False):
        assert mask is None
        payload = payload.encode("latin-1")
        if payload_len is not None:
            payload = (payload * (payload_len // max(len(payload), 1) + 1))[:payload_len]
        mask = os.urandom(4)
        data = self.header(opcode, len(payload), fin, rsv) + mask + masked(payload, mask, 0)
        self.write(data, chopsize)

    def sendMessage(self, payload, isBinary=False, fragmentSize=None):
        size = fragmentSize or self.autoFragmentSize or max(len(payload), 1)
        pieces = [payload[at : at + size] for at in range(0, len(payload), size)] or [""]
        for index, piece in enumerate(pieces):
            opcode = 0 if index else 2 if isBinary else 1
            self.sendFrame(opcode, piece, fin=index == len(pieces) - 1)

    def beginMessage(self):
        self.begun = {"opcode": 1}

    def beginMessageFrame(self, length):
        mask = os.urandom(4)
        self.write(self.header(self.begun["opcode"], length, False, 0) + mask)
        self.begun = {"opcode": 0, "mask": mask, "sent": 0}

    def sendMessageFrameData(self, payload):
        payload = payload.encode("latin-1")
        self.write(masked(payload, self.begun["mask"], self.begun["sent"]))
        self.begun["sent"] += len(payload)

    def endMessage(self):
        self.sendFrame(0)

    def sendClose(self, code=None, reason=None):
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, reason)

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        payload = "" if code is None else struct.pack(">H", code).decode("latin-1")
        self.sendFrame(8, payload + (reasonUtf8 or ""))
        self.state = self.STATE_CLOSING
        self.closedByMe = not isReply
        self.localCloseCode, self.localCloseReason = code, reasonUtf8
        if not isReply:
            self.later(1, lambda: self.wasClean or self.drop())

    def closeAfter(self, delay):
        self.later(delay, self.sendClose)

    def killAfter(self, delay):
        self.later(delay, self.fail)

    def continueLater(self, delay, do, _tag=None):
        self.later(delay, do)

    def enableWirelog(self, _on):
        pass


def masked(payload, mask, at):
    mask = (mask[at % 4 :] + mask[: at % 4]) * (len(payload) // 4 + 1)
    key = int.from_bytes(mask[: len(payload)], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(len(payload), "little")


class Utf8Validator:
    """Says of a text of bytes whether it can be the start of UTF-8, and whether it is whole."""

    def reset(self):
        pass

    def validate(self, text):
        try:
            text.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError as error:
            return (error.reason == "unexpected end of data", False)
        return (True, True)


def load_cases(folder):
    """All case classes by their number."""
    fixers = ["except", "has_key", "ne", "print", "unicode", "xrange"]
    tool = RefactoringTool([f"fissix.fixes.fix_{name}" for name in fixers])
    hexes = types.ModuleType("hexes")
    hexes.b2a_hex = lambda text: text.encode("latin-1").hex()
    protocol = types.ModuleType("protocol")
    protocol.WebSocketProtocol = States
    validator = types.ModuleType("utf8validator")
    validator.Utf8Validator = Utf8Validator
    sys.modules |= {
        "autobahn": types.ModuleType("autobahn"),
        "autobahn.websocket": types.ModuleType("autobahn.websocket"),
        "autobahn.websocket.protocol": protocol,
        "autobahn.websocket.utf8validator": validator,
        "hexes": hexes,
    }
    found = {}

    def load(name):
        if name in sys.modules:
            return
        source = (folder / f"{name}.py").read_text("latin-1")
        for needed in re.findall(r"^from (case\w*) import", source, re.MULTILINE):
            load(needed)
        source = source.replace("import binascii", "import hexes as binascii")
        source = str(tool.refactor_string(source.rstrip() + "\n", name))
        source = source.replace('.encode("utf-8")', '.encode("utf-8", "surrogatepass").decode("latin-1")')
        source = source.replace("(object, Case, )", "(Case,)")
        source = source.replace("len(self.payload) / ", "len(self.payload) // ")
        module = types.ModuleType(name)
        sys.modules[name] = module
        exec(compile(source, name, "exec"), module.__dict__)
        lists = [value for value in module.__dict__.values() if isinstance(value, list)]
        for value in [*module.__dict__.values(), *(item for values in lists for item in values)]:
            number = re.fullmatch(r"Case(\d+(_\d+)+)", getattr(value, "__name__", ""))
            if number:
                found[tuple(map(int, number[1].split("_")))] = value

    load("case")
    # By pickled bytes, which differ between equal lists here.
    sys.modules["case"].Case.compare = lambda _self, one, other: one == other
    for file in sorted(folder.glob("case*_*.py")):
        if not re.match(r"case(12|9_9|9_10)_", file.stem):
            load(file.stem)
    return found


def begins(number, start):
    return number[: len(start)] == start


async def run(case_class, host, port):
    loop = asyncio.get_running_loop()
    started = time.monotonic()
    _, peer = await loop.create_connection(lambda: Peer(case_class), host, port)
    await peer.over
    case = peer.case
    return {
        "behavior": case.behavior,
        "close": case.behaviorClose,
        "result": case.result,
        "close_result": case.resultClose,
        "close_code": peer.remoteCloseCode,
        "ms": round(1000 * (time.monotonic() - started)),
        "description": " ".join(case_class.DESCRIPTION.split("<")[0].split()),
    }


async def run_all(cases, host, port):
    places = asyncio.Semaphore(AT_A_TIME)
    results = {}

    async def one(number):
        async with places:
            results[number] = await run(cases[number], host, port)

    # The large messages one after the other.
    await asyncio.gather(*(one(number) for number in cases if number[0] != 9))
    for number in cases:
        if number[0] == 9:
            await one(number)
    return dict(sorted(results.items()))


def main():
    url, report, *wanted = sys.argv[1:]
    host, port = re.fullmatch(r"ws://([\d.]+):(\d+)", url).groups()
    folder = pathlib.Path(find_spec("autobahntestsuite").origin).parent / "case"

    def numbers(texts):
        return [tuple(map(int, text.split("."))) for text in texts]

    left_out, wanted = numbers(LEFT_OUT), numbers(wanted)
    cases = {
        number: case
        for number, case in sorted(load_cases(folder).items())
        if not any(begins(number, start) for start in left_out)
        and (not wanted or any(begins(number, start) for start in wanted))
    }
    results = asyncio.run(run_all(cases, host, int(port)))
    results = {".".join(map(str, number)): result for number, result in results.items()}
    pathlib.Path(report).write_text(json.dumps(results, indent=1))
    good = {"OK", "NON-STRICT", "INFORMATIONAL"}
    for number, result in results.items():
        if result["behavior"] != "OK" or result["close"] != "OK":
            print(f"{number}: {result['behavior']}, close {result['close']}: "
                  f"{result['result']} {result['close_result']} ({result['description']})")
    bad = [r for r in results.values() if r["behavior"] not in good or r["close"] not in good]
    counts = Counter(result["behavior"] for result in results.values())
    print(f"{len(results)} cases: " + ", ".join(f"{n} {what}" for what, n in counts.most_common()))
    print(f"{len(results) - len(bad)} passed, {len(bad)} failed")
    sys.exit(bool(bad) or not results)


main()

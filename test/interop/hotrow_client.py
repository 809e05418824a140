"""A client of hotrow's wire protocol, written from docs/FORMATS.md ("Wire") with nothing but the
standard library: it shows that the document is enough for another language, and python.test.ts
runs it against a server.

    python3 hotrow_client.py check           xxh3 against known values
    python3 hotrow_client.py talk HOST:PORT  one conversation; prints JSON with what it read
"""

import json
import socket
import struct
import sys

# --- XXH3 with 64 bits, seed 0, the default secret ----------------------------------------------

SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
MASK = (1 << 64) - 1
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
SECRETS_64 = [int.from_bytes(SECRET[i : i + 8], "little") for i in range(len(SECRET) - 7)]


def u32_at(data, at):
    return int.from_bytes(data[at : at + 4], "little")


def u64_at(data, at):
    return int.from_bytes(data[at : at + 8], "little")


def fold(a, b):
    product = a * b
    return (product ^ product >> 64) & MASK


def rotate(x, bits):
    return (x << bits | x >> (64 - bits)) & MASK


def avalanche(x):
    x = (x ^ x >> 37) * 0x165667919E3779F9 & MASK
    return x ^ x >> 32


def avalanche_of_short(x):
    x = (x ^ x >> 33) * P64_2 & MASK
    x = (x ^ x >> 29) * P64_3 & MASK
    return x ^ x >> 32


def mix(data, at, secret):
    return fold(
        u64_at(data, at) ^ SECRETS_64[secret], u64_at(data, at + 8) ^ SECRETS_64[secret + 8]
    )


def xxh3_to_16(data):
    n = len(data)
    if n > 8:
        low = u64_at(data, 0) ^ SECRETS_64[24] ^ SECRETS_64[32]
        high = u64_at(data, n - 8) ^ SECRETS_64[40] ^ SECRETS_64[48]
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return avalanche((n + swapped + high + fold(low, high)) & MASK)
    if n >= 4:
        x = u32_at(data, n - 4) + (u32_at(data, 0) << 32) ^ SECRETS_64[8] ^ SECRETS_64[16]
        x = (x ^ rotate(x, 49) ^ rotate(x, 24)) * 0x9FB21C651E98DF25 & MASK
        x = (x ^ (x >> 35) + n) * 0x9FB21C651E98DF25 & MASK
        return x ^ x >> 28
    if n > 0:
        x = data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8
        return avalanche_of_short(x ^ u32_at(SECRET, 0) ^ u32_at(SECRET, 4))
    return avalanche_of_short(SECRETS_64[56] ^ SECRETS_64[64])


def xxh3_to_240(data):
    n = len(data)
    sum_ = n * P64_1
    if n <= 128:
        for i in range((n - 1) // 32 + 1):
            sum_ += mix(data, 16 * i, 32 * i) + mix(data, n - 16 * (i + 1), 32 * i + 16)
        return avalanche(sum_ & MASK)
    for i in range(8):
        sum_ += mix(data, 16 * i, 16 * i)
    sum_ = avalanche(sum_ & MASK)
    for i in range(8, n // 16):
        sum_ += mix(data, 16 * i, 16 * (i - 8) + 3)
    return avalanche(sum_ + mix(data, n - 16, 119) & MASK)


def accumulate(sums, data, at, secret):
    for i, value in enumerate(struct.unpack_from("<8Q", data, at)):
        keyed = value ^ SECRETS_64[secret + 8 * i]
        sums[i ^ 1] = sums[i ^ 1] + value & MASK
        sums[i] = sums[i] + (keyed & 0xFFFFFFFF) * (keyed >> 32) & MASK


def xxh3(data):
    n = len(data)
    if n <= 16:
        return xxh3_to_16(data)
    if n <= 240:
        return xxh3_to_240(data)
    sums = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]
    # Stripes of 64 bytes, 16 of them a block; the last stripe ends where the data do.
    for stripe in range((n - 1) // 64):
        accumulate(sums, data, 64 * stripe, 8 * (stripe % 16))
        if stripe % 16 == 15:
            sums = [(x ^ x >> 47 ^ SECRETS_64[128 + 8 * i]) * P32_1 & MASK
                    for i, x in enumerate(sums)]
    accumulate(sums, data, n - 64, 121)
    result = n * P64_1
    for i in range(4):
        result += fold(
            sums[2 * i] ^ SECRETS_64[11 + 16 * i], sums[2 * i + 1] ^ SECRETS_64[19 + 16 * i]
        )
    return avalanche(result & MASK)


# xxHash's own answers for the first so many bytes of (31 i^2 + 7 i + 3) / 8.
KNOWN_SUMS = {
    0: 0x2D06800538D394C2, 1: 0xC44BDFF4074EECDB,
    3: 0xD5FB6A7679A1734B, 4: 0x6361267602576B4B,
    8: 0x4E64C0FB0DB5D1E8, 9: 0x033E0F18853D6D7C,
    16: 0xF05EC8268BF52D68, 17: 0xF5508579A73E5555,
    32: 0x1FB6C382A38DE751, 33: 0x7087D29DB9C576D4,
    56: 0xB620FEC23BEBDB62, 96: 0xD27A8ADD213D0B74,
    97: 0xDE46C8D68FE85D84, 128: 0xB44271FD65D08854,
    129: 0x621D67FE02CD4C4F, 240: 0x7F64406503072412,
    241: 0x87BDAC1E134C4DD7, 300: 0xB322C264463AEA3B,
    1000: 0x7116A503AEDAE189, 1024: 0xBFDCA06FCE656383,
    1025: 0xB319E1FBEBC31FDB, 5000: 0xE825F4CBDF596828,
}


def check_xxh3():
    data = bytes((31 * i * i + 7 * i + 3 >> 3) & 255 for i in range(max(KNOWN_SUMS)))
    for length, known in KNOWN_SUMS.items():
        found = xxh3(data[:length])
        assert found == known, f"xxh3 of {length} bytes: {found:016x}, not {known:016x}"


# --- Frames ------------------------------------------------------------------------------------

HEADER = struct.Struct("<IHBBQQIIQIIQ")  # all but header_sum
SECTION = struct.Struct("<IHHHHIQQQ")
OPTIONS = struct.Struct("<IIffQQQQ")
MAGIC, VERSION, REPLY, SUMMED = 0x574F5248, 1, 1, 2
HELLO, CALL, LOOKUP, STATE, POOLED, PUSH, PUSH_BAGS = 1, 2, 3, 4, 5, 6, 7
UPDATE, ERASE, SCORES, SCAN, EVICTED, PULL, GOODBYE = 8, 9, 10, 11, 12, 13, 14
KEYS, ROWS, GRADIENTS, OFFSETS, WEIGHTS, STATE_VALUES, FOUND = 1, 2, 3, 4, 5, 6, 7
OPTIONS_BYTES, TEXT, VALUES, COUNT, BYTES = 8, 9, 10, 11, 12
WANTS_FOUND, HAS_MISSING, RELAXED, WANTS_STATE = 1, 2, 4, 8
U8, U32, U64, F32 = 1, 2, 3, 4
LETTERS = {U8: "B", U32: "I", U64: "Q", F32: "f"}
SIZES = {U8: 1, U32: 4, U64: 8, F32: 4}
TYPES = {KEYS: U64, OFFSETS: U32, COUNT: U64, FOUND: U8, OPTIONS_BYTES: U8, TEXT: U8, BYTES: U8}
MOST_SUMMED = 1 << 20  # longer bodies take this language too long


def aligned(size):
    return (size + 63) // 64 * 64


def expect(condition, what):
    if not condition:
        raise ValueError(f"not a frame: {what}")


def options(flags=0, pooling=0, missing=0.0, rate=0.0, max_age_ms=0, steps=0, start=0, most=0):
    return OPTIONS_BYTES, OPTIONS.pack(
        flags, pooling, missing, rate, max_age_ms, steps, start, most
    )


def encode(verb, parts, request, sequence=0, deadline_ms=0, summed=False):
    """A request. `parts`: of each its parameter's number and its sections, which are (kind, bytes)
    or (kind, values) or (kind, values, dim)."""
    table, payloads, count = b"", b"", sum(len(sections) for _, sections in parts)
    start = aligned(SECTION.size * count)
    for part, (parameter, sections) in enumerate(parts):
        for kind, values, *rest in sections:
            dim, type_ = (rest or [1])[0], TYPES.get(kind, F32)
            if not isinstance(values, bytes):
                values = struct.pack(f"<{len(values)}{LETTERS[type_]}", *values)
            elements = len(values) // SIZES[type_] // dim
            offset = start + len(payloads)
            table += SECTION.pack(
                parameter, part, kind, type_, 0, dim, elements, offset, len(values)
            )
            payloads += values.ljust(aligned(len(values)), b"\0")
    body = table.ljust(start, b"\0") + payloads
    flags, sum_ = (SUMMED, xxh3(body)) if summed else (0, 0)
    header = HEADER.pack(MAGIC, VERSION, verb, flags, request, sequence, 0, 0, len(body), count,
                         deadline_ms, sum_)
    return header + struct.pack("<Q", xxh3(header)) + body


class Failure(Exception):
    """A failed reply: its status code and its sentence."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class Reply:
    def __init__(self, code, sequence, sections):
        self.code, self.sequence, self.sections = code, sequence, sections

    def find(self, kind, part=0):
        """Bytes of the section of a kind, or None."""
        return next((d for p, k, d in self.sections if (p, k) == (part, kind)), None)

    def values(self, kind, part=0):
        data, type_ = self.find(kind, part), TYPES.get(kind, F32)
        return list(struct.unpack(f"<{len(data) // SIZES[type_]}{LETTERS[type_]}", data))


class Client:
    """One connection, which waits for each reply before it asks again."""

    def __init__(self, address, session="", most_body_bytes=1 << 30):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.next_request, self.next_sequence = 1, 1
        self.most_body_bytes = most_body_bytes
        text = json.dumps({"version": 1, "session": session, "client": "python"})
        reply = self.ask(HELLO, [(0, [(TEXT, text.encode())])])
        self.welcome = json.loads(reply.find(TEXT))
        self.most_body_bytes = self.welcome["mostBodyBytes"]

    def receive(self, size):
        data = bytearray()
        while len(data) < size:
            piece = self.socket.recv(min(size - len(data), 1 << 20))
            if not piece:
                raise ConnectionError("the server has closed the connection")
            data += piece
        return bytes(data)

    def receive_reply(self):
        """The next reply: its verb, its request and what it says."""
        head = self.receive(64)
        (magic, version, verb, flags, request, sequence, _, _, size, count, code, sum_) = (
            HEADER.unpack_from(head)
        )
        expect((magic, version) == (MAGIC, VERSION), "magic or version")
        expect(u64_at(head, 56) == xxh3(head[:56]), "the header's sum")
        expect(flags & REPLY and not flags & ~(REPLY | SUMMED), "flags")
        expect(size % 64 == 0 and size <= self.most_body_bytes, "length")
        expect(count <= 1024 and count * SECTION.size <= size, "number of sections")
        body = self.receive(size)
        if flags & SUMMED and size <= MOST_SUMMED:
            expect(sum_ == xxh3(body), "the body's sum")
        sections, end, last = [], count * SECTION.size, 0
        for i in range(count):
            (_, part, kind, type_, zero, dim, elements, offset, length) = SECTION.unpack_from(
                body, i * SECTION.size
            )
            expect(1 <= kind <= BYTES and type_ in SIZES and zero == 0, "kind or type")
            expect(length == elements * dim * SIZES[type_], "a section's length")
            expect(offset % 64 == 0 and end <= offset <= size - length, "a section's place")
            expect(part in (last, last + 1) if i else part == 0, "parts")
            sections.append((part, kind, body[offset : offset + length]))
            end, last = offset + length, part
        return verb, request, Reply(code, sequence, sections)

    def ask(self, verb, parts, sequence=0, deadline_ms=0, summed=False):
        request, self.next_request = self.next_request, self.next_request + 1
        self.socket.sendall(encode(verb, parts, request, sequence, deadline_ms, summed))
        its_verb, its_request, reply = self.receive_reply()
        expect((its_verb, its_request, reply.sequence) == (verb, request, sequence), "its reply")
        if reply.code:
            raise Failure(reply.code, reply.find(TEXT).decode("utf-8", "replace"))
        return reply

    def change(self, verb, parts, summed=False):
        """A numbered change; gives its count."""
        sequence, self.next_sequence = self.next_sequence, self.next_sequence + 1
        return self.ask(verb, parts, sequence, summed=summed).values(COUNT)[0]

    def call(self, call, **fields):
        text = json.dumps({"call": call, **fields}).encode()
        answer = self.ask(CALL, [(0, [(TEXT, text)])], deadline_ms=10_000).find(TEXT)
        return json.loads(answer) if answer else None

    def goodbye(self):
        self.socket.sendall(encode(GOODBYE, [], self.next_request))
        expect(self.socket.recv(1) == b"", "nothing behind GOODBYE")
        self.socket.close()


# --- The conversation of python.test.ts ----------------------------------------------------------

TABLE = {"dim": 3, "optimizer": {"kind": 5}}  # the rule that adds
LAST_KEY = (1 << 64) - 1
# Bits of f32 that a detour over decimals or other types would change.
BITS = [0x3DCCCCCD, 0x00000001, 0x7F7FFFFF, 0xC2F6E979, 0x80000001, 0x3F7FFFFF]


def failure_of(work):
    try:
        work()
    except Failure as failure:
        return {"code": failure.code, "text": failure.text}
    raise AssertionError("no failure")


def talk_about_tables(client, said):
    """Pushes, reads, assigns and erases rows of a table that it makes; reads one that is there."""
    made = client.call("table", name="python", flag=True, table=TABLE)
    there = client.call("table", name="node")
    said["made"], said["there"] = made, there
    number, other = made["parameter"], there["parameter"]

    keys = [1, LAST_KEY]
    gradients = struct.pack("<6I", *BITS)
    pushed = [(number, [(KEYS, keys), (GRADIENTS, gradients, 3), options()])]
    said["pushed"] = client.change(PUSH, pushed, summed=True)
    looked_up = [(number, [(KEYS, [1, 2, LAST_KEY]), options(WANTS_FOUND | HAS_MISSING, 0, 7.5)])]
    reply = client.ask(LOOKUP, looked_up)
    said["rows"], said["found"] = reply.find(ROWS).hex(), reply.find(FOUND).hex()

    assigned = struct.pack("<6I", *reversed(BITS))
    client.change(UPDATE, [(number, [(KEYS, [3, 4]), (ROWS, assigned, 3)])])
    said["erased"] = client.change(ERASE, [(number, [(KEYS, [4, 5])])])
    both = [(number, [(KEYS, [3])]),
            (other, [(KEYS, [*range(100), LAST_KEY]), options(WANTS_FOUND)])]
    reply = client.ask(LOOKUP, both)
    said["both"] = [reply.find(ROWS, 0).hex(), reply.find(ROWS, 1).hex()]
    said["bothFound"] = reply.find(FOUND, 1).hex()
    said["state"] = client.ask(STATE, [(other, [(KEYS, [0, 1])])]).find(STATE_VALUES).hex()

    bags = [(KEYS, [0, 1, 2]), (OFFSETS, [0, 1, 1, 3]), (WEIGHTS, [1, 0.5, 2])]
    said["pooled"] = client.ask(POOLED, [(other, [*bags, options(pooling=1)])]).find(ROWS).hex()
    weighted = [*bags, (GRADIENTS, [1.0, 2.0, 0, 0, 4.0, 8.0], 2)]
    client.change(PUSH_BAGS, [(other, weighted)])
    said["scanned"], start = [], 0
    while True:
        wanted = options(WANTS_STATE, start=start, most=40)
        page = client.ask(SCAN, [(other, [wanted])], deadline_ms=10_000)
        said["scanned"] += [str(key) for key in page.values(KEYS)]
        if page.find(COUNT) is None:
            break
        start = page.values(COUNT)[0]
    said["stats"] = client.call("tableStats", parameter=number)


def talk_about_dense(client, said):
    opened = client.call("dense", name="weights")
    number = opened["parameter"]
    said["dense"] = opened
    said["values"] = client.ask(PULL, [(number, [options()])]).find(VALUES).hex()
    client.change(PUSH, [(number, [(GRADIENTS, [1.0, 2.0, 3.0, 4.0]), options(rate=0.5)])])
    reply = client.ask(PULL, [(number, [options(WANTS_STATE)])])
    said["pushedValues"], said["steps"] = reply.find(VALUES).hex(), reply.values(COUNT)[0]


def talk_about_failures(client, said):
    wrong = {**TABLE, "dim": 4}
    said["conflict"] = failure_of(
        lambda: client.call("table", name="python", flag=True, table=wrong)
    )
    unknown = [(60_000, [(KEYS, [1])])]
    said["unknown"] = failure_of(lambda: client.ask(LOOKUP, unknown))
    short = [(said["made"]["parameter"], [(KEYS, [1, 2]), (GRADIENTS, [1.0], 1)])]
    said["short"] = failure_of(lambda: client.change(PUSH, short))
    said["noCall"] = failure_of(lambda: client.call("fly"))


def talk_about_repeats(client, address, said):
    """A change that comes three times, once over another connection, is applied once."""
    made = client.call("table", name="repeated", flag=True, table=TABLE)
    ones = [(made["parameter"], [(KEYS, [9]), (GRADIENTS, [1.0, 2.0, 3.0], 3)])]
    sequence = client.next_sequence
    client.change(PUSH, ones)
    client.ask(PUSH, ones, sequence)
    again = Client(address, client.welcome["session"])
    said["resumed"] = again.welcome["resumed"]
    again.ask(PUSH, ones, sequence)
    again.goodbye()
    said["once"] = client.ask(LOOKUP, ones).values(ROWS)
    client.ask(PUSH, ones, sequence + 1024)
    said["expired"] = failure_of(lambda: client.ask(PUSH, ones, sequence))
    client.ask(PUSH, ones)
    said["thrice"] = client.ask(LOOKUP, ones).values(ROWS)


def talk_about_frames(address, said):
    """What is no frame is answered, and the connection ends."""
    client = Client(address)
    broken = bytearray(encode(LOOKUP, [], 1))
    broken[60] ^= 1
    client.socket.sendall(broken)
    verb, request, reply = client.receive_reply()
    said["refused"] = [verb, request, reply.code]
    said["ended"] = client.socket.recv(1) == b""


def main(arguments):
    check_xxh3()
    if arguments == ["check"]:
        return 0
    if len(arguments) != 2 or arguments[0] != "talk":
        print(__doc__, file=sys.stderr)
        return 2
    address, said = arguments[1], {}
    client = Client(address)
    said["welcome"] = client.welcome
    talk_about_tables(client, said)
    talk_about_dense(client, said)
    talk_about_failures(client, said)
    talk_about_repeats(client, address, said)
    talk_about_frames(address, said)
    client.goodbye()
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

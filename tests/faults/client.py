"""A client that believes nothing: bytes out, and what came back, with how it ended. Knows no more HTTP than it must."""
import json
import socket
import time

PATIENCE_S = 20


class Answer:
    """What a client saw of one answer."""

    def __init__(self):
        self.status, self.headers, self.head, self.body = 0, {}, "", b""
        # Its framing says that it is whole.
        self.whole = False
        self.took = 0.0

    def json(self):
        return json.loads(self.body)

    def events(self):
        """The data of each event of a stream."""
        text = self.body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
        return [line[5:].strip() for block in text.split("\n\n") for line in block.split("\n") if line.startswith("data:")]

    def error(self):
        """The error object, of a body or of the last event."""
        text = self.body if self.body.startswith(b"{") else (self.events() or ["{}"])[-1]
        return json.loads(text).get("error") or {}

    def told(self):
        return self.headers.get("x-switchover-target"), int(self.headers.get("x-switchover-attempts", 0))


class Client:
    """One connection to the gateway."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def send(self, body, path="/v1/chat/completions"):
        data = json.dumps(body).encode()
        head = (f"POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
                f"authorization: Bearer sk-client-canary\r\ncontent-length: {len(data)}\r\n\r\n")
        try:
            self.sock.sendall(head.encode() + data)
        except OSError:
            pass  # it may have answered and closed already: the answer is what counts

    def ask(self, body, path="/v1/chat/completions"):
        begun = time.monotonic()
        self.send(body, path)
        answer = self.receive()
        answer.took = time.monotonic() - begun
        return answer

    def more(self):
        try:
            piece = self.sock.recv(1 << 20)
        except ConnectionError:
            piece = b""
        self.rest += piece
        return bool(piece)

    def receive(self):
        answer = Answer()
        while b"\r\n\r\n" not in self.rest:
            if not self.more():
                return answer
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        answer.head = head.decode("latin-1")
        line, *fields = answer.head.split("\r\n")
        answer.status = int(line.split(" ")[1])
        answer.headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        if answer.headers.get("transfer-encoding") == "chunked":
            answer.whole = self.chunks(answer)
            return answer
        length = int(answer.headers.get("content-length", 0))
        while len(self.rest) < length and self.more():
            pass
        answer.body, self.rest = self.rest[:length], self.rest[length:]
        answer.whole = len(answer.body) == length
        return answer

    def chunks(self, answer):
        """Reads chunks into the answer; whether the last one came."""
        pieces = []
        while True:
            while b"\r\n" not in self.rest:
                if not self.more():
                    answer.body = b"".join(pieces) + self.rest
                    return False
            size, _, self.rest = self.rest.partition(b"\r\n")
            size = int(size, 16)
            while len(self.rest) < size + 2:
                if not self.more():
                    answer.body = b"".join(pieces) + self.rest
                    return False
            pieces.append(self.rest[:size])
            self.rest = self.rest[size + 2:]
            if size == 0:
                answer.body = b"".join(pieces)
                return True

    def until(self, text):
        """Reads on until `text` has come; whether it did."""
        while text not in self.rest:
            if not self.more():
                return False
        return True

    def close(self):
        self.sock.close()

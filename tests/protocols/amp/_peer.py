# mypy: ignore-errors
# Twisted, where it is installed, has few types.
"""Twisted's AMP at the other end: `python _peer.py server|client PORT PEM`."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import defer, endpoints, protocol, reactor, ssl
from twisted.protocols import amp


class Sum(amp.Command):
    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


class Divide(amp.Command):
    arguments = [(b"numerator", amp.Float()), (b"denominator", amp.Float())]
    response = [(b"result", amp.Float())]
    errors = {ZeroDivisionError: b"ZERO_DIVISION"}


class Echo(amp.Command):
    arguments = [
        (b"text", amp.Unicode()),
        (b"flag", amp.Boolean()),
        (b"numbers", amp.ListOf(amp.Integer())),
        (b"rows", amp.AmpList([(b"x", amp.Integer()), (b"y", amp.String(optional=True))])),
        (b"price", amp.Decimal()),
        (b"when", amp.DateTime()),
        (b"left-out", amp.String(optional=True)),
    ]
    response = arguments


class Calculator(amp.AMP):
    certificate: Any = None

    @Sum.responder
    def sum(self, a: int, b: int) -> dict[str, int]:
        return {"total": a + b}

    @Divide.responder
    def divide(self, numerator: float, denominator: float) -> dict[str, float]:
        return {"result": numerator / denominator}

    @Echo.responder
    def echo(self, **what: Any) -> dict[str, Any]:
        return what

    @amp.StartTLS.responder
    def secure(self) -> dict[str, Any]:
        return {"tls_localCertificate": self.certificate, "tls_verifyAuthorities": [authority]}


@defer.inlineCallbacks
def ask(port: int) -> Any:
    """Ask everything of the server of that port; print what is wrong, or "all is well"."""
    where = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    peer = yield endpoints.connectProtocol(where, Calculator())
    answer = yield peer.callRemote(Sum, a=13, b=81)
    assert answer == {"total": 94}, answer
    try:
        yield peer.callRemote(Divide, numerator=1.0, denominator=0.0)
    except ZeroDivisionError:
        pass
    else:
        raise AssertionError("no error")
    yield peer.callRemote(
        amp.StartTLS, tls_localCertificate=certificate, tls_verifyAuthorities=[authority]
    )
    answer = yield peer.callRemote(Sum, a=1, b=2)
    assert answer == {"total": 3}, answer
    assert peer.peerCertificate.getSubject().commonName == b"amp.test"
    print("all is well", flush=True)


def main() -> None:
    role, port = sys.argv[1], int(sys.argv[2])
    if role == "server":
        Calculator.certificate = certificate
        factory = protocol.Factory.forProtocol(Calculator)
        listening = reactor.listenTCP(port, factory, interface="127.0.0.1")
        print(listening.getHost().port, flush=True)
    else:
        done = ask(port)
        done.addErrback(lambda failure: print(failure.getTraceback(), flush=True))
        done.addBoth(lambda _: reactor.stop())
    reactor.callLater(30, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    with open(sys.argv[3], "rb") as file:
        certificate = ssl.PrivateCertificate.loadPEM(file.read())
    authority = ssl.Certificate(certificate.original)
    main()

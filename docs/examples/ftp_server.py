"""
An FTP server: a directory for everybody to read, and users with directories of their own.

The users are in a file, a line name:hash each; reactorlib.cred.passwords.hashPassword()
makes the hashes.

    python ftp_server.py --directory public --homes homes --users users
    curl ftp://localhost:2121/
    curl --user alice -T poem.txt ftp://localhost:2121/
"""

from __future__ import annotations

import argparse

import three_ways

from reactorlib.cred.checkers import AllowAnonymousAccess, FilePasswordDB
from reactorlib.cred.passwords import storedHash
from reactorlib.cred.portal import Portal
from reactorlib.internet import reactor
from reactorlib.protocols.ftp import FTPFactory, FTPRealm


def portal(options: argparse.Namespace) -> Portal:
    """Who may come in, and where they get to."""
    # A user's home has to be there: it is not made for them.
    realm = FTPRealm(options.directory, options.homes)
    checkers: list[object] = [AllowAnonymousAccess()]
    if options.users:
        checkers.append(FilePasswordDB(options.users, hash=storedHash))
    return Portal(realm, checkers)


def start(options: argparse.Namespace) -> None:
    """Listen."""
    factory = FTPFactory(portal(options))
    factory.welcomeMessage = "Files, and no more than that."
    # More connections than this are told to come again later.
    factory.connectionLimit = 100
    port = reactor.listenTCP(options.port, factory, interface=options.interface)
    three_ways.announce(port, "curl ftp://localhost:{port}/")


if __name__ == "__main__":
    parser = three_ways.parser(__doc__, port=2121)
    parser.add_argument("--directory", default=".", help="what everybody may read")
    parser.add_argument("--homes", default="/home", help="where users have their directories")
    parser.add_argument("--users", help="the file of names and hashed passwords")
    three_ways.run(start, parser)

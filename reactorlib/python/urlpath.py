"""The address of a page, and the way from it to others: `URLPath`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

__all__ = ["URLPath"]

# RFC 3986 section 3.3: what stands for itself in a segment; and what is escaped already.
_IN_SEGMENT = "%:@!$&'()*+,;=~"
_IN_PATH = _IN_SEGMENT + "/"
# Sections 3.4 and 3.5.
_IN_QUERY = _IN_PATH + "?"


def _escaped(text: str | bytes, safe: str) -> str:
    """The text with everything escaped that does not stand for itself; text is UTF-8."""
    return quote(text, safe=safe)


def _without_dots(path: str) -> str:
    """An absolute path without "." and "..": RFC 3986 section 5.2.4."""
    segments: list[str] = []
    _, *given = path.split("/")
    for segment in given:
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    if given[-1] in (".", ".."):
        segments.append("")
    return "/" + "/".join(segments)


class URLPath:
    """
    A URL that can be changed.

    Every part is bytes, with `%` escapes, and can be set as bytes or as text.

    Args:
        scheme: "http" if it is empty.
        netloc: the host, with a port or without.
        path: it begins with a slash, which is added if it is not there.
        query: what follows the question mark.
        fragment: what follows the hash.
    """

    def __init__(
        self,
        scheme: str | bytes = b"",
        netloc: str | bytes = b"localhost",
        path: str | bytes = b"",
        query: str | bytes = b"",
        fragment: str | bytes = b"",
    ) -> None:
        self.scheme = scheme or b"http"
        self.netloc = netloc
        self.path = path
        self.query = query
        self.fragment = fragment

    @property
    def scheme(self) -> bytes:
        """What comes before the colon: b"http"."""
        return self._scheme.encode("ascii")

    @scheme.setter
    def scheme(self, value: str | bytes) -> None:
        self._scheme = value if isinstance(value, str) else value.decode("ascii")

    @property
    def netloc(self) -> bytes:
        """The host, with a port or without: b"example.com:8080"."""
        return self._netloc.encode("ascii")

    @netloc.setter
    def netloc(self, value: str | bytes) -> None:
        if isinstance(value, str):
            value = value.encode("ascii" if value.isascii() else "idna")
        self._netloc = value.decode("ascii")

    @property
    def path(self) -> bytes:
        """What comes after the host, with its slash."""
        return self._path.encode("ascii")

    @path.setter
    def path(self, value: str | bytes) -> None:
        path = _escaped(value, _IN_PATH)
        self._path = path if path.startswith("/") else f"/{path}"

    @property
    def query(self) -> bytes:
        """What follows the question mark."""
        return self._query.encode("ascii")

    @query.setter
    def query(self, value: str | bytes) -> None:
        self._query = _escaped(value, _IN_QUERY)

    @property
    def fragment(self) -> bytes:
        """What follows the hash."""
        return self._fragment.encode("ascii")

    @fragment.setter
    def fragment(self, value: str | bytes) -> None:
        self._fragment = _escaped(value, _IN_QUERY)

    @classmethod
    def fromString(cls, url: str) -> URLPath:
        """
        The URL of a text.

        Raises:
            ValueError: it is no text, or no URL.
        """
        if not isinstance(url, str):
            raise ValueError("'url' must be a str")
        return cls(*urlsplit(url))

    @classmethod
    def fromBytes(cls, url: bytes) -> URLPath:
        """
        The URL of bytes; those that are not ASCII are escaped.

        Raises:
            ValueError: it is not bytes, or no URL.
        """
        if not isinstance(url, bytes):
            raise ValueError("'url' must be bytes")
        return cls(*urlsplit(quote(url, safe=_IN_QUERY + "#[]")))

    @classmethod
    def fromRequest(cls, request: Any) -> URLPath:
        """The URL of the resource that a request of `web.http` has come to."""
        return cls.fromBytes(request.prePathURL())

    def pathList(self, unquote: bool = False, copy: bool = True) -> list[bytes]:
        """
        The segments of the path; the first is empty.

        Args:
            unquote: whether escapes are replaced by what they stand for.
            copy: of no effect.
        """
        segments = self.path.split(b"/")
        return [unquote_to_bytes(segment) for segment in segments] if unquote else segments

    def _at(self, path: str, keep_query: bool) -> URLPath:
        query = self._query if keep_query else ""
        return type(self)(self._scheme, self._netloc, path, query)

    def sibling(self, path: str | bytes, keepQuery: bool = False) -> URLPath:
        """
        The URL of that name in the same folder.

        Args:
            path: one segment: a slash in it is escaped.
            keepQuery: whether the query stays.
        """
        folder = self._path.rpartition("/")[0]
        return self._at(f"{folder}/{_escaped(path, _IN_SEGMENT)}", keepQuery)

    def child(self, path: str | bytes, keepQuery: bool = False) -> URLPath:
        """
        The URL of that name below this one.

        Args:
            path: one segment: a slash in it is escaped.
            keepQuery: whether the query stays.
        """
        folder = self._path.removesuffix("/")
        return self._at(f"{folder}/{_escaped(path, _IN_SEGMENT)}", keepQuery)

    def parent(self, keepQuery: bool = False) -> URLPath:
        """The URL of the folder that the folder is in: what a link to ".." leads to."""
        folder = self._path.rpartition("/")[0]
        return self._at(f"{folder.rpartition('/')[0]}/", keepQuery)

    def here(self, keepQuery: bool = False) -> URLPath:
        """The URL of the folder: what a link to "." leads to."""
        return self._at(f"{self._path.rpartition('/')[0]}/", keepQuery)

    def click(self, st: str | bytes) -> URLPath:
        """The URL that a link leads to: RFC 3986 section 5."""
        link = quote(st, safe=_IN_QUERY + "#[]")
        scheme, netloc, path, query, fragment = urlsplit(link)
        if scheme or netloc or not path or path.startswith("/"):
            return type(self).fromString(urljoin(str(self), link))
        # urljoin() would lose empty segments, of which RFC 3986 says nothing special.
        path = _without_dots(f"{self._path.rpartition('/')[0]}/{path}")
        return type(self).fromString(
            urlunsplit((self._scheme, self._netloc, path, query, fragment))
        )

    def __str__(self) -> str:
        return urlunsplit((self._scheme, self._netloc, self._path, self._query, self._fragment))

    def __repr__(self) -> str:
        parts = ("scheme", "netloc", "path", "query", "fragment")
        inside = ", ".join(f"{part}={getattr(self, part)!r}" for part in parts)
        return f"{type(self).__name__}({inside})"

"""
What stands behind `reactorlib.internet.ssl`, which is where to import it from.

    _versions  names of TLS versions, file formats, kinds of keys
    _crypto    everything that is asked of the `cryptography` package
    _keys, _names, _certificates    objects for keys, and who certifies them
    _pem       keys and certificates from memory into an `ssl.SSLContext`
    _ciphers, _trust    which ciphers, and whom to trust
    _options   the settings of a connection; with what makes `ssl.SSLContext`s of them
    _client    those of a client that knows whom it wants
    _legacy    Twisted's older classes for the same
    _sni, _reload    several certificates by host name; certificates that change
    _settings  from whatever a user gives as settings, to a context
"""

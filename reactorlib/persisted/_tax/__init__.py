"""
The style `xml`: `.tax` files.

    <?xml version="1.0" encoding="utf-8"?>
    <application version="1">
      <instance class="quotes.Quotes">
        <attribute name="quotes"><list><str>Eat apples.</str></list></attribute>
        <attribute name="shown"><int>3</int></attribute>
      </instance>
    </application>

There is one element for each kind of value; those that are no literals are the
nodes of `reactorlib.persisted.aot`:

    <none/> <true/> <false/> <ellipsis/> <int> <float> <complex>
    <str>          text; with escaped="yes" as between quotes in Python
    <bytes>        in base64
    <list> <tuple> <slice>
    <dict>         of <item>s, each with key and value
    <instance>     class=; <attribute name=>s, or one <state>
    <class> <function> <global> <module>   name=
    <method>       name=, class=; of the object in it
    <build>        by=; <with> arguments, <then> state, <items>, <pairs>
    <reference>    to=, the id= that any other element may have

There is no document type, and there are no entities but XML's own five: a file that
declares some is refused before it can do anything with them.
"""

from __future__ import annotations

from reactorlib.persisted._tax._reader import loads
from reactorlib.persisted._tax._writer import dumps

__all__ = ["dumps", "loads"]

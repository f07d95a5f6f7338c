"""
Objects as trees, and the trees as text: the styles `source` and `xml`.

AOT is for "abstract object trees". `jellyToAOT` makes an object into one: of
numbers, strings, lists, tuples and dicts as they are, and of the node classes here
for the rest. `jellyToSource` writes it in Python's notation:

    app=Instance('quotes.Quotes',
      quotes=[
        'An apple a day keeps the doctor away.',
        ],
      shown=3,)

`unjellyFromSource` reads that. It is parsed and never run: it may hold literals and
the nodes below, and nothing else.

    Instance('module.Class', attribute=value)   an object; or with its state as second
    Class('module.Class')                       a class
    Function('module.function')                 a function
    Global('module.name')                       anything else that has a name there
    Module('module')                            a module
    InstanceMethod('name', 'module.Class', object)   a bound method
    Copyreg('module.callable', (arguments,))    what a call of one of some harmless
                                                callables returns
    Ref(1, value) and Deref(1)                  a value that is there more than once
    slice(1, 2, 3), float('inf'), complex('nanj')
"""

from __future__ import annotations

from reactorlib.persisted.aot._jelly import AOTJellier, jellyToAOT
from reactorlib.persisted.aot._nodes import (
    Class,
    Copyreg,
    Deref,
    Function,
    Global,
    Instance,
    InstanceMethod,
    Module,
    Named,
    NonFormattableDict,
    NoStateObj,
    Ref,
    dictToKW,
    getSource,
    prettify,
)
from reactorlib.persisted.aot._source import jellyToSource, loads, unjellyFromSource
from reactorlib.persisted.aot._unjelly import AOTUnjellier, unjellyFromAOT

__all__ = [
    "AOTJellier",
    "AOTUnjellier",
    "Class",
    "Copyreg",
    "Deref",
    "Function",
    "Global",
    "Instance",
    "InstanceMethod",
    "Module",
    "Named",
    "NoStateObj",
    "NonFormattableDict",
    "Ref",
    "dictToKW",
    "getSource",
    "jellyToAOT",
    "jellyToSource",
    "loads",
    "prettify",
    "unjellyFromAOT",
    "unjellyFromSource",
]

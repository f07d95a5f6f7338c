"""
The reactor, a class for each family of methods; `asyncioreactor` puts them together.

All derive from `LoopReactor`, which knows the loop. Each family reaches it
through `_when_looping`, so that what is asked before there is a loop happens
when there is one.
"""

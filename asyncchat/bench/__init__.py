"""How many people does my machine carry? ``python -m asyncchat.bench`` puts load on a server that speaks native.

It logs clients in (``hello``), lets some of them talk (``say``), and looks at every byte that comes back: how much is
delivered, how fast, and whether anything is lost, out of order or delivered twice.
"""

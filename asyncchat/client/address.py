"""Addresses of servers; see `asyncchat.vocabulary.addresses`."""

from asyncchat.vocabulary.addresses import DEFAULT_PORT, Address, parse_address

__all__ = ["DEFAULT_PORT", "Address", "parse_address"]

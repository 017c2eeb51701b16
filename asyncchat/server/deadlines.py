"""Deadlines of one client: to say something complete, to log in, to answer a ping, to read what it is sent."""

from asyncchat.core.limits import Limits
from asyncchat.core.session import Phase
from asyncchat.server.connection import Connection


def overdue(connection: Connection, now: float, limits: Limits) -> str | None:
    """Why this client is to be closed at the loop's time *now*, if it is; pings it when it has been silent."""
    if connection.leaving is not None:
        return None
    if connection.writer.missing is not None:
        return _overdue_to_read(connection, now, limits)
    connection.unread = 0
    partial = now - connection.partial_since if connection.partial_since is not None else 0.0
    silence = now - connection.heard if connection.reading else 0.0
    if connection.session.phase is Phase.NEW:
        if _over(partial, limits.first_line_seconds):
            return "no complete line in time"
        if _over(now - connection.since, limits.login_seconds):
            return "no login in time"
    elif _over(partial, limits.line_seconds):
        return "no complete line in time"
    elif not connection.writer.dialect.pings:
        return None
    elif _over(silence, limits.idle_seconds):
        return "silent for too long"
    elif _over(silence, limits.ping_seconds) and not connection.pinged:
        connection.ping()
    return None


def _overdue_to_read(connection: Connection, now: float, limits: Limits) -> str | None:
    """As `overdue`, for a client that lags: it is there as long as what waits for it gets less."""
    unread = connection.writer.transport.waiting
    if not connection.unread or unread < connection.unread:
        connection.heard = now
    connection.unread = unread
    return "does not read" if _over(now - connection.heard, limits.idle_seconds) else None


def _over(seconds: float, limit: float) -> bool:
    return 0 < limit < seconds

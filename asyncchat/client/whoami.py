"""Who to be when nobody says: the user of this machine, if the name may be taken."""

import getpass

from asyncchat.vocabulary.names import BadName, is_reserved, parse_user_name


def default_name() -> str | None:
    """The login name, or None if no server lets it be taken (``root`` speaks for a machine, not for a person)."""
    try:
        name = parse_user_name(getpass.getuser())
    except (BadName, OSError, KeyError):  # KeyError up to 3.12: this user has no name
        return None
    return None if is_reserved(name) else name.text

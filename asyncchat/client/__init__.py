"""The async client: `connect`, and what it gives."""

from typing import TYPE_CHECKING

from asyncchat._start import offered_by

if TYPE_CHECKING:
    from asyncchat.client._offer import *  # noqa: F403 - its names are all in its __all__
    from asyncchat.client._offer import __all__ as __all__
else:
    __getattr__, __dir__ = offered_by(__name__)

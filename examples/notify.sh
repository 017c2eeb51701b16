#!/bin/sh
# Run a command, and tell a room how it ended:
#
#     examples/notify.sh '#ops' make deploy
#
# CHAT (localhost:7777) is the server, CHAT_NAME (ci) the name to say it under, PYTHON (python3) the Python that has
# asyncchat. The exit status is the command's own: a chat that cannot be reached does not fail a deployment.
set -u

if [ $# -lt 2 ]; then
    echo "usage: $0 ROOM COMMAND [ARGUMENT...]" >&2
    exit 2
fi
room=$1
shift

start=$(date +%s)
"$@"
status=$?
seconds=$(($(date +%s) - start))

if [ "$status" -eq 0 ]; then
    text="✔ $*: done in $seconds s"
else
    text="✘ $*: failed with status $status after $seconds s"
fi

# The client's exit status is 0 only when the server has the message, for good.
printf '%s\n' "$text" | "${PYTHON:-python3}" -m asyncchat.client "${CHAT:-localhost:7777}" \
    --name "${CHAT_NAME:-ci}" --to "$room" --write-only ||
    echo "$0: nobody was told: $text" >&2

exit "$status"

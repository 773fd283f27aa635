# A server of this folder, and its client.
# usage: session.bash SERVER [ARGUMENT...]
# shellcheck source=tests/session.bash
. "$SESSION"
coproc { exec "$@"; }
server=$COPROC_PID
servers=("$server")
read -r echo http <&"${COPROC[0]}"
/usr/bin/python3 "${BASH_SOURCE[0]%/*}/client.py" "$echo" "$http"
kill "$server"
wait "$server"
echo "server: $?"
servers=()

# session.bash - for scripts that start servers: a directory of their own ($dir), and an end of all that they started.
# shellcheck shell=bash

dir=$(mktemp -d)
servers=()
trap end_session EXIT

end_session() {
	local pid
	for pid in "${servers[@]}"; do
		# Its workers, too, where it is not there any more to tell them.
		kill "$pid" 2>/dev/null && wait "$pid"
	done 2>/dev/null
	rm -rf "$dir"
}

# until_done PID CMD...: CMD again and again until it succeeds; fails when the server PID ends before.
until_done() {
	local pid=$1
	shift
	until "$@" >/dev/null 2>&1; do
		kill -0 "$pid" 2>/dev/null || return 1
	done
}

# port_of PID: the TCP port that the kernel gave to a server that asked for port 0, once it listens.
port_of() {
	local inode port
	while kill -0 "$1" 2>/dev/null; do
		for inode in $(readlink "/proc/$1"/fd/* | sed -n 's/^socket:\[\(.*\)\]$/\1/p'); do
			port=$(awk -v inode="$inode" '$10 == inode && $4 == "0A" { sub(/.*:/, "", $2); print $2 }' /proc/net/tcp)
			[ -z "$port" ] || { echo $((16#$port)); return; }
		done
	done
	return 1
}

# free_port: one that was free a moment ago: whoever takes it must be ready to try another.
free_port() {
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'
}

# begin URL: the session's get, which is held up after the first line until finish.  A server that is told to go meanwhile still
# has more to send than all buffers on the way hold: at the very end haproxy closes too early, also natively.
begin() {
	mkfifo "$dir/got"
	get "$1" >"$dir/got" &
	getting=$!
	exec {got}<"$dir/got"
	read -r begun <&"$got"
}

# finish FILE: reads the rest of it, which is FILE's.
finish() {
	{ echo "$begun"; cat <&"$got"; } | cmp - "$1" && echo whole
	exec {got}<&-
	wait "$getting"
	echo "curl: $?"
	rm "$dir/got"
}

# nginx_conf AT ROOT: of an nginx on $port that serves ROOT, and has its own files in AT.
nginx_conf() {
	cat <<CONF
daemon off;
error_log $1/errors;
pid $1/nginx.pid;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path $1/body;
	proxy_temp_path $1/proxy;
	fastcgi_temp_path $1/fastcgi;
	uwsgi_temp_path $1/uwsgi;
	scgi_temp_path $1/scgi;
	server { listen 127.0.0.1:${port?}; root $2; }
}
CONF
}

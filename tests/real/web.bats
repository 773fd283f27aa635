# Web servers and their clients.

load helper

@test "curl against python3 -m http.server" {
	need_program python3 curl
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
seq 200000 >large
echo small >small
coproc { exec "$(python3 -c 'import sys; print(sys.executable)')" -u -m http.server 0 --bind 127.0.0.1 2>/dev/null; }
# "Serving HTTP on 127.0.0.1 port N ..."
read -r _ _ _ _ _ port _ <&"${COPROC[0]}"
curl -sS "http://127.0.0.1:$port/small"
curl -sS "http://127.0.0.1:$port/large" | cksum
curl -sS -o copy "http://127.0.0.1:$port/large" && cmp copy large && echo same
curl -sS -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$port/none"
curl -s --parallel "http://127.0.0.1:$port/[1-5]small" "http://127.0.0.1:$port/small" 2>/dev/null | grep -c small
kill "$COPROC_PID"
curl -s --max-time 5 http://127.0.0.1:1/; echo "refused: $?"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx same "$BATS_TEST_TMPDIR/native/stdout"
}

@test "curl and wget against nginx" {
	PATH=$PATH:/usr/sbin
	need_program nginx curl wget perl
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
mkdir "$dir/www" "$dir/temp"
seq 1500000 >"$dir/www/large"
echo small >"$dir/www/small"
# As root, the workers are somebody else.
chmod -R a+rX "$dir"
nginx() { command nginx -p "$dir/" -e error.log -c nginx.conf "$@"; }
get() { curl -sS --unix-socket "$dir/s" "$@"; }
until [ "$(get http://x/small 2>/dev/null)" ]; do
	port=$(free_port)
	cat >"$dir/nginx.conf" <<CONF
daemon off;
worker_processes 2;
pid pid;
events { worker_connections 64; }
http {
	access_log access.log;
	client_body_temp_path temp/body; proxy_temp_path temp/proxy; fastcgi_temp_path temp/fastcgi;
	uwsgi_temp_path temp/uwsgi; scgi_temp_path temp/scgi;
	default_type text/plain;
	server {
		listen unix:$dir/s;
		listen 127.0.0.1:$port;
		root www;
		client_max_body_size 20m;
		location / { sendfile on; tcp_nopush on; }
		location /copied/ { alias $dir/www/; sendfile off; output_buffers 1 16k; }
		location /packed/ { alias $dir/www/; gzip on; gzip_types text/plain; }
		location /through/ { proxy_pass http://unix:$dir/s:/; proxy_buffers 4 8k; proxy_max_temp_file_size 0; }
		location /slow/ { alias $dir/www/; limit_rate 20m; }
		location /take { client_body_buffer_size 8k; proxy_pass http://unix:$dir/s:/taken; }
		location /taken { return 201 "taken\n"; }
	}
}
CONF
	command nginx -p "$dir/" -e error.log -c nginx.conf &
	servers=($!)
	until_done $! get http://x/small
done

get -w '%{num_connects}\n' http://x/small http://x/small http://x/copied/small
for where in '' copied/ packed/ through/ slow/; do
	get "http://x/${where}large" | cmp - "$dir/www/large" && echo "same: $where"
done
get --compressed -D - -o unpacked http://x/packed/large | grep -i encoding
cmp unpacked "$dir/www/large"; rm unpacked
get -o /dev/null -w '%{http_code}\n' http://x/none
get -r 10-19 http://x/large; echo
get -T "$dir/www/large" http://x/take
get --no-progress-meter --parallel --parallel-max 8 "http://x/small?[1-40]" | grep -c small
at=http://127.0.0.1:$port
curl -sS --noproxy '*' "$at/large" | cksum
wget -q --no-proxy -O - "$at/large" | cksum
wget -q --no-proxy -O - "$at/small" "$at/copied/small"
wget -q --no-proxy -P got -x -nH "$at/packed/small" "$at/none" "$at/large"; echo "wget: $?"
cmp got/large "$dir/www/large"; head -c 3000000 got/large >part; mv part got/large
wget -q --no-proxy -c -P got "$at/large"; cmp got/large "$dir/www/large" && echo continued
rm -r got
nginx -s reload
get http://x/small
nginx -s quit
wait "${servers[0]}"
echo "nginx: $?"
servers=()
ls "$dir"
grep -c '" 200 ' "$dir/access.log" >/dev/null && grep -v '\[\(warn\|notice\|error\)\]' "$dir/error.log"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'nginx: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

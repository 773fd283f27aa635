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
grep -c '" 200 ' "$dir/access.log" >/dev/null && ! grep -v '\[\(warn\|notice\|error\)\]' "$dir/error.log"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'nginx: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

# apache MODEL: what apache2 does with this module for processing.
apache() {
	need_program apache2 curl ab perl
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
model=$1
mkdir "$dir/www" "$dir/other" "$dir/cgi"
seq 300000 >"$dir/www/large"
echo small >"$dir/www/small"
echo "after the reload" >"$dir/other/small"
cat >"$dir/cgi/echo" <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n%s %s\n' "$REQUEST_METHOD" "$QUERY_STRING"
echo "to the error log" >&2
exec cksum
CGI
chmod +x "$dir/cgi/echo"
chmod -R a+rX "$dir"
get() { curl -sS --noproxy '*' "$@"; }
modules=/usr/lib/apache2/modules
configure() {
	cat >"$dir/conf" <<CONF
LoadModule mpm_${model}_module $modules/mod_mpm_$model.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule deflate_module $modules/mod_deflate.so
LoadModule filter_module $modules/mod_filter.so
LoadModule alias_module $modules/mod_alias.so
LoadModule env_module $modules/mod_env.so
LoadModule proxy_module $modules/mod_proxy.so
LoadModule proxy_http_module $modules/mod_proxy_http.so
<IfModule mpm_prefork_module>
	# A child for each connection: where some have to wait, ab takes those that KeepAliveTimeout ends for failed requests.
	StartServers 24
	MaxSpareServers 24
	LoadModule cgi_module $modules/mod_cgi.so
</IfModule>
<IfModule !mpm_prefork_module>
	StartServers 2
	LoadModule cgid_module $modules/mod_cgid.so
	ScriptSock $dir/cgid
	ThreadsPerChild 8
	MaxRequestWorkers 32
</IfModule>
ServerName localhost
ServerRoot $dir
DefaultRuntimeDir $dir
PidFile pid
Listen 127.0.0.1:$port
User www-data
Group www-data
ErrorLog error.log
DocumentRoot $1
EnableSendfile On
KeepAliveTimeout 2
ScriptAlias /cgi/ $dir/cgi/
Alias /packed/ $dir/www/
Alias /copied/ $dir/www/
<Location /packed/>
	SetOutputFilter DEFLATE
</Location>
<Location /copied/>
	EnableSendfile Off
	EnableMMAP Off
</Location>
ProxyPass /through/ http://127.0.0.1:$port/
CONF
}
until get "$at/small" >/dev/null 2>&1; do
	port=$(free_port)
	at=http://127.0.0.1:$port
	configure "$dir/www"
	# It signals its process group.
	setsid apache2 -f "$dir/conf" -DFOREGROUND &
	servers=($!)
	until_done $! get "$at/small"
done

get -w '%{num_connects}\n' "$at/small" "$at/small" "$at/copied/small"
for where in '' copied/ packed/ through/ through/packed/; do
	get "$at/${where}large" | cmp - "$dir/www/large" && echo "same: $where"
	get --compressed "$at/${where}large" | cmp - "$dir/www/large" && echo "same, packed: $where"
done
get -r 10-19 "$at/large"; echo
get -o /dev/null -w '%{http_code}\n' "$at/none"
get "$at/cgi/echo?a=1" --data-binary "@$dir/www/large"
get "$at/through/cgi/echo?a=2" -H 'Transfer-Encoding: chunked' -T "$dir/www/large"
get --limit-rate 4M "$at/large" | cksum
get --no-progress-meter --parallel --parallel-max 8 "$at/small?[1-40]" | grep -c small
# Natively, too, a kept connection is closed under ab's hands in one run of sixty, which it calls failed.
ab -q -k -n 400 -c 8 "$at/small" | grep 'Complete\|Non-2xx'
ab -q -n 200 -c 8 "$at/large" | grep 'Complete\|Failed\|Non-2xx\|HTML transferred'

configure "$dir/other"
apache2 -f "$dir/conf" -k graceful
until [ "$(get "$at/small")" = "after the reload" ]; do kill -0 "${servers[0]}" || break; done
get "$at/small"
configure "$dir/www"
apache2 -f "$dir/conf" -k restart
until [ "$(get "$at/small" 2>/dev/null)" = small ]; do kill -0 "${servers[0]}" || break; done
# Whichever child it is, it is replaced; until it is gone it may still take a connection.
killed=$(pgrep -P "${servers[0]}")
kill -9 $killed
until ! kill -0 $killed; do :; done 2>/dev/null
until get "$at/small" 2>/dev/null; do kill -0 "${servers[0]}" || break; done
# A request that is under way when the server is told to go is served to its end.
begin "$at/large"
apache2 -f "$dir/conf" -k graceful-stop
finish "$dir/www/large"
wait "${servers[0]}"
echo "apache2: $?"
servers=()
ls "$dir"
grep -c 'to the error log' "$dir/error.log"
sed -n 's/^[^]]*\] \[\([a-z_]*:\(error\|crit\|alert\|emerg\)\).*/\1/p' "$dir/error.log" | sort | uniq -c
SESSION
	same bash "$BATS_TEST_TMPDIR/session" "$1"
	grep -qx 'apache2: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

# bats test_tags=all
@test "apache2, mpm_event, with curl and ab: sendfile, deflate, CGI, proxy, graceful reload, restart and stop" {
	apache event
}

# bats test_tags=all
@test "apache2, mpm_prefork, with curl and ab: sendfile, deflate, CGI, proxy, graceful reload, restart and stop" {
	apache prefork
}

# lighttpd HANDLER: what lighttpd does with this way to wait.
lighttpd_with() {
	need_program lighttpd curl ab perl
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
mkdir "$dir/www" "$dir/other" "$dir/temp"
seq 300000 >"$dir/www/large"
echo small >"$dir/www/small"
echo "after the reload" >"$dir/other/small"
cat >"$dir/www/echo.sh" <<'CGI'
printf 'Content-Type: text/plain\n\n%s %s\n' "$REQUEST_METHOD" "$QUERY_STRING"
exec cksum
CGI
get() { curl -sS --noproxy '*' --unix-socket "$dir/s" "$@"; }
configure() {
	cat >"$dir/conf" <<CONF
server.modules = ("mod_cgi", "mod_proxy", "mod_accesslog")
server.event-handler = "$handler"
server.network-backend = "$2"
server.document-root = "$1"
server.bind = "$dir/s"
server.upload-dirs = ("$dir/temp")
server.errorlog = "$dir/error.log"
accesslog.filename = "$dir/access.log"
accesslog.format = "%r %s %B"
server.pid-file = "$dir/pid"
server.max-worker = $3
\$SERVER["socket"] == "127.0.0.1:$port" {}
cgi.assign = (".sh" => "/bin/sh")
\$HTTP["url"] =~ "^/through/" {
	proxy.server = ("" => (("host" => "$dir/s")))
	proxy.header = ("map-urlpath" => ("/through/" => "/"))
}
CONF
}
start() {
	until get http://x/small >/dev/null 2>&1; do
		port=$(free_port)
		configure "$dir/www" "$@"
		# It signals its process group.
		setsid lighttpd -D -f "$dir/conf" &
		servers=($!)
		until_done $! get http://x/small
	done
}
handler=$1
start sendfile 0

get -w '%{num_connects}\n' http://x/small http://x/small
get http://x/large | cmp - "$dir/www/large" && echo same
get http://x/through/large | cmp - "$dir/www/large" && echo "same, through another"
get -r 10-19 http://x/large; echo
get -o /dev/null -w '%{http_code}\n' http://x/none
get "http://x/echo.sh?a=1" --data-binary "@$dir/www/large"
get "http://x/through/echo.sh?a=2" -H 'Transfer-Encoding: chunked' -T "$dir/www/large"
get --limit-rate 10M http://x/large | cksum
get --no-progress-meter --parallel --parallel-max 8 "http://x/small?[1-40]" | grep -c small
ab -q -k -n 400 -c 8 "http://127.0.0.1:$port/small" | grep 'Complete\|Failed\|Non-2xx'
ab -q -n 100 -c 8 "http://127.0.0.1:$port/large" | grep 'Complete\|Failed\|Non-2xx\|HTML transferred'

configure "$dir/other" sendfile 0
kill -USR1 "${servers[0]}"
until [ "$(get http://x/small 2>/dev/null)" = "after the reload" ]; do kill -0 "${servers[0]}" || break; done
get http://x/small
mv "$dir/access.log" "$dir/access.1"
kill -HUP "${servers[0]}"
until [ -e "$dir/access.log" ]; do kill -0 "${servers[0]}" || break; done
# A request that is under way when the server is told to go is served to its end.
configure "$dir/www" sendfile 0
kill -USR1 "${servers[0]}"
until get -f http://x/large >/dev/null 2>&1; do kill -0 "${servers[0]}" || break; done
begin http://x/large
kill -INT "${servers[0]}"
finish "$dir/www/large"
wait "${servers[0]}"
echo "lighttpd: $?"
grep -c 'GET /small?' "$dir/access.1"
rm -f "$dir/s"

start writev 2
get http://x/large | cmp - "$dir/www/large" && echo "same from a worker"
# Whichever worker it is, it is replaced.
kill -9 $(pgrep -P "${servers[0]}")
until get http://x/small 2>/dev/null; do kill -0 "${servers[0]}" || break; done
ab -q -n 100 -c 8 "http://127.0.0.1:$port/large" | grep 'Complete\|Failed\|Non-2xx\|HTML transferred'
kill "${servers[0]}"
wait "${servers[0]}"
echo "lighttpd: $?"
servers=()
ls "$dir"
# It also compares two clocks, whose seconds need not begin together.
grep -v 'clock jumped' "$dir/error.log" |
	sed 's/.*(\([a-z.-]*\).[0-9]*) //; s/127.0.0.1:[0-9]*/PORT/; s/[0-9][0-9]*/N/g; s,/tmp/tmp.[A-Za-z0-9N]*,DIR,g' | sort -u
SESSION
	same bash "$BATS_TEST_TMPDIR/session" "$1"
	grep -qx 'lighttpd: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "lighttpd, poll, with curl and ab: CGI, proxy, workers, graceful restart and stop" {
	lighttpd_with poll
}

# bats test_tags=all
@test "lighttpd, select, with curl and ab: CGI, proxy, workers, graceful restart and stop" {
	lighttpd_with select
}

# bats test_tags=all
@test "lighttpd, linux-sysepoll, with curl and ab: CGI, proxy, workers, graceful restart and stop" {
	lighttpd_with linux-sysepoll
}

# haproxy_with POLLER: haproxy before nginx, with this way to wait; by its options that forbid the others.
haproxy_with() {
	need_program haproxy nginx curl ab perl
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
mkdir "$dir/www" "$dir/temp"
seq 300000 >"$dir/www/large"
echo small >"$dir/www/small"
chmod -R a+rX "$dir"
get() { curl -sS --noproxy '*' --unix-socket "$dir/s" "$@"; }
cat >"$dir/nginx.conf" <<CONF
daemon off;
pid nginx.pid;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path temp/body; proxy_temp_path temp/proxy; fastcgi_temp_path temp/fastcgi;
	uwsgi_temp_path temp/uwsgi; scgi_temp_path temp/scgi;
	server {
		listen unix:$dir/one;
		listen unix:$dir/two;
		root www;
		client_max_body_size 20m;
		location /take { client_body_buffer_size 8k; proxy_pass http://unix:$dir/one:/taken; }
		location /taken { return 201 "taken\n"; }
	}
}
CONF
nginx -p "$dir/" -e error.log -c nginx.conf &
servers=($!)
until_done $! curl -sS --unix-socket "$dir/one" http://x/small
# configure TEXT THREADS: what /own says, and how many threads serve it.
configure() {
	cat >"$dir/conf" <<CONF
global
	nbthread $2
	maxconn 100
	stats socket $dir/admin mode 600 level admin expose-fd listeners
$(printf '\t%s\n' $forbidden)
defaults
	mode http
	timeout connect 10s
	timeout client 60s
	timeout server 60s
	timeout http-keep-alive 1s
frontend http
	bind unix@$dir/s mode 666
	bind 127.0.0.1:$port
	http-request return status 200 content-type text/plain string "$1" if { path /own }
	default_backend nginx
backend nginx
	http-reuse always
	compression algo gzip
	compression type text/plain
	server one unix@$dir/one
	server two unix@$dir/two
listen tcp
	mode tcp
	bind unix@$dir/tcp
	server one unix@$dir/one
CONF
}
# ready PID: what comes before the master has executed itself anew, behind the worker that it has started, is lost, also natively.
ready() {
	until_done "$1" grep -q HAPROXY_MWORKER_WAIT_ONLY "/proc/$1/environ"
	# It has its handlers, SIGUSR2's among them, and blocks nothing.
	until_done "$1" grep -q 'SigCgt:.*[89a-f]..$' "/proc/$1/status"
	until_done "$1" grep -q 'SigBlk:.0*$' "/proc/$1/status"
}
# ended PID: what comes just before it sleeps, it does when it wakes up, also natively: SIGCHLD wakes it, and does nothing else.
ended() {
	while kill -CHLD "$1" 2>/dev/null; do sleep 0.01; done
	wait "$1"
}
forbidden=$*
until get http://x/own >/dev/null 2>&1; do
	port=$(free_port)
	configure first 2
	haproxy -W -f "$dir/conf" 2>/dev/null &
	servers[1]=$!
	until_done $! get http://x/own
done

get -w '%{num_connects}\n' http://x/small http://x/small
get http://x/large | cmp - "$dir/www/large" && echo same
get --unix-socket "$dir/tcp" http://x/large | cmp - "$dir/www/large" && echo "same, by tcp"
get --compressed -D - -o unpacked http://x/large | grep -i encoding
cmp unpacked "$dir/www/large"; rm unpacked
get -r 10-19 http://x/large; echo
get -o /dev/null -w '%{http_code}\n' http://x/none
get -T "$dir/www/large" http://x/take
get --unix-socket "$dir/tcp" -T "$dir/www/large" http://x/take
get --limit-rate 10M http://x/large | cksum
get --no-progress-meter --parallel --parallel-max 8 "http://x/small?[1-40]" | grep -c small
ab -q -k -n 400 -c 8 "http://127.0.0.1:$port/small" | grep 'Complete\|Failed\|Non-2xx'
ab -q -n 100 -c 8 "http://127.0.0.1:$port/large" | grep 'Complete\|Failed\|Non-2xx\|HTML transferred'
ask() {
	perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new($ARGV[0]) or die; print $s "$ARGV[1]\n"; print while <$s>' \
		"$dir/admin" "$1"
}
ask 'show stat' | awk -F, '/^nginx,(one|two)|^http,FRONT/ { print $1, $2, $18 }'
ask 'disable server nginx/two'
get http://x/small
ask 'show servers state nginx' | awk '$4 == "two" { print $4, $6, $7 }'
ask 'show info' | grep '^Name\|^Nbthread\|^Maxsock'

# The old worker serves what it has begun, and the new one what comes.
begin http://x/large
# With select and two threads, one that is told to finish sometimes crashes, also natively.
configure second 1
ready "${servers[1]}"
kill -USR2 "${servers[1]}"
until [ "$(get http://x/own)" = second ]; do kill -CHLD "${servers[1]}" || break; done
finish "$dir/www/large"
get http://x/small
ready "${servers[1]}"
kill -USR1 "${servers[1]}"
ended "${servers[1]}"
echo "haproxy, told to finish: $?"

haproxy -W -f "$dir/conf" 2>/dev/null &
servers[1]=$!
until_done $! get http://x/small
ready "${servers[1]}"
kill -9 $(pgrep -P "${servers[1]}") 2>/dev/null
ended "${servers[1]}"
echo "haproxy, without a worker: $?"

haproxy -db -f "$dir/conf" 2>/dev/null &
servers[1]=$!
until_done $! get http://x/small
get http://x/large | cmp - "$dir/www/large" && echo same
kill "${servers[1]}"
wait "${servers[1]}"
echo "haproxy, told to end: $?"
nginx -p "$dir/" -e error.log -c nginx.conf -s stop
wait "${servers[0]}"
echo "nginx: $?"
servers=()
! grep -v '\[\(warn\|notice\|error\)\]' "$dir/error.log"
SESSION
	same bash "$BATS_TEST_TMPDIR/session" "$@"
	grep -qx 'nginx: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "haproxy, epoll, with nginx, curl and ab: http, tcp, gzip, its own commands, reload, stop, a worker killed" {
	haproxy_with
}

# bats test_tags=all
@test "haproxy, poll, with nginx, curl and ab: http, tcp, gzip, its own commands, reload, stop, a worker killed" {
	haproxy_with noepoll
}

# bats test_tags=all
@test "haproxy, select, with nginx, curl and ab: http, tcp, gzip, its own commands, reload, stop, a worker killed" {
	haproxy_with noepoll nopoll
}

# bats test_tags=all
@test "squid before nginx, with curl and ab: disk cache, helpers, tunnels, reconfigure, rotate, shutdown, a worker killed" {
	need_program squid nginx curl ab perl
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
cd "$dir"
mkdir www temp cache
seq 300000 >www/large
for n in 1 2 3 4 5 6 7 8; do seq "$n" 20000 >"www/file$n"; done
echo small >www/small
cat >rewrite <<'HELPER'
#!/bin/sh
while read -r id url rest; do
	case $url in
	*/moved) echo "$id OK rewrite-url=${url%/moved}/small" ;;
	*) echo "$id ERR" ;;
	esac
done
HELPER
chmod +x rewrite
chmod -R a+rX .
# As root, it becomes another.
[ "$(id -u)" != 0 ] || chown -R proxy cache .
get() { curl -sS --noproxy '' --proxy "http://127.0.0.1:$port" "$@"; }
until curl -sS --noproxy '*' "$at/small" >/dev/null 2>&1; do
	at=http://127.0.0.1:$(free_port)
	cat >nginx.conf <<CONF
daemon off;
pid nginx.pid;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path temp/body; proxy_temp_path temp/proxy; fastcgi_temp_path temp/fastcgi;
	uwsgi_temp_path temp/uwsgi; scgi_temp_path temp/scgi;
	server {
		listen ${at#http://};
		root www;
		expires 1h;
		client_max_body_size 20m;
		location /take { client_body_buffer_size 8k; proxy_pass $at/taken; }
		location /taken { return 201 "taken\n"; }
	}
}
CONF
	nginx -p "$dir/" -e error.log -c nginx.conf &
	servers=($!)
	until_done $! curl -sS --noproxy '*' "$at/small"
done
configure() {
	cat >conf <<CONF
http_port 127.0.0.1:$port
pid_filename $dir/pid
cache_log $dir/cache.log
access_log daemon:$dir/access.log squid
netdb_filename none
logfile_rotate 2
coredump_dir $dir
cache_dir aufs $dir/cache 50 4 4
maximum_object_size 20 MB
cache_mem 1 MB
cache_effective_user proxy
visible_hostname here
shutdown_lifetime 1 seconds
url_rewrite_program $dir/rewrite
url_rewrite_children 3 startup=1 concurrency=4
acl there dst 127.0.0.1
acl closed urlpath_regex ^/closed$1
http_access deny closed
http_access allow there
pinger_enable off
max_filedescriptors 512
CONF
}
until get "$at/small" >/dev/null 2>&1; do
	port=$(free_port)
	configure ''
	squid -f conf -z --foreground 2>/dev/null
	squid -f conf --foreground 2>/dev/null &
	servers[1]=$!
	until_done $! get "$at/small"
done
get -w '%{num_connects}\n' "$at/small" "$at/small"
get "$at/large" | cmp - www/large && echo same
get "$at/large" | cmp - www/large && echo "same, from the cache"
get "$at/moved"
get -p "$at/large" | cmp - www/large && echo "same, through a tunnel"
get -T www/large "$at/take"
get -o /dev/null -w '%{http_code}\n' "$at/closed"
get -o /dev/null -w '%{http_code}\n' "$at/none"
get -r 10-19 "$at/large"; echo
get --limit-rate 10M "$at/large" | cksum
for turn in 1 2; do
	get --no-progress-meter --parallel --parallel-max 8 "$at/file[1-8]" -o 'got#1'
	cat got? | cksum
done
ab -q -k -n 400 -c 8 -X "127.0.0.1:$port" "$at/small" | grep 'Complete\|Failed\|Non-2xx'
ab -q -n 50 -c 8 -X "127.0.0.1:$port" "$at/large" | grep 'Complete\|Failed\|Non-2xx\|HTML transferred'

configure X
squid -f conf -k reconfigure
until [ "$(get -o /dev/null -w '%{http_code}' "$at/closed" 2>/dev/null)" = 404 ]; do kill -0 "${servers[1]}" || break; done
get "$at/moved"
squid -f conf -k rotate
until [ -e access.log.0 ]; do kill -0 "${servers[1]}" || break; done
get "$at/small"
# The worker's parent starts another.
kill -9 $(pgrep -P "${servers[1]}") 2>/dev/null
until get "$at/small" 2>/dev/null; do kill -0 "${servers[1]}" || break; done
get "$at/large" | cmp - www/large && echo same
squid -f conf -k shutdown
wait "${servers[1]}"
echo "squid: $?"
kill "${servers[0]}"
wait "${servers[0]}"
echo "nginx: $?"
servers=()
# A client that came while it shut down may have been let in, and asked nothing.
cat access.log access.log.? | awk '$4 != "NONE_NONE/000" { print $4, $6 }' | sed 's/_HIT\|_MISS\|_UNMODIFIED\|_MEM//g' | sort -u
grep -o 'FATAL.*\|assertion.*\|ERROR:.*\|WARNING:.*' cache.log cache.log.? |
	grep -v 'no_suid\|Closing\|HTTP requires' | sed 's/[0-9][0-9]*/N/g' | sort -u
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'squid: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

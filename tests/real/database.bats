# Servers that keep data, and their clients.

load helper

@test "redis-server, redis-cli and redis-benchmark" {
	need_program redis-server redis-cli redis-benchmark
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
dir=$(mktemp -d)
redis-server --port 0 --unixsocket "$dir/s" --dir "$dir" --save '' --daemonize no >/dev/null &
server=$!
cli() { redis-cli -s "$dir/s" "$@"; }
until [ "$(cli ping 2>/dev/null)" = PONG ]; do kill -0 $server || exit 9; done
cli set key value; cli get key; cli incr n; cli rpush l a b c; cli lrange l 0 -1
seq 5000 | sed 's/.*/set key& &/' | cli --pipe | tail -n 1
cli dbsize; cli save; cli --no-raw get key17
(cli blpop waiting 0) & cli rpush waiting now >/dev/null; wait $!
redis-benchmark -s "$dir/s" -q -n 2000 -c 20 -P 4 -t set,get,lpush,lrange_100 | tr '\r' '\n' | grep -c 'requests per second'
cli shutdown nosave
wait $server
echo "server: $?"
rm -rf "$dir"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'server: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "sqlite3: through pipes" {
	need_program sqlite3
	same sh -c '(echo "create table t (n);"; seq 1000 | sed "s/.*/insert into t values (&);/"; echo "select count(*), sum(n) from t;") | sqlite3 ":memory:"; sqlite3 db "create table t (a); insert into t values (7);"; sqlite3 db ".dump" | sqlite3 copy; sqlite3 copy "select * from t"; rm db copy'
}

@test "memcached, threads, text protocol, by unix and TCP: values of many sizes, many clients, full, its end" {
	need_program memcached perl
	cat >"$BATS_TEST_TMPDIR/client" <<'CLIENT'
use strict;
use IO::Socket::UNIX;
use IO::Socket::INET;
use IO::Select;

sub connect_to { $_[0] =~ m{^/} ? IO::Socket::UNIX->new($_[0]) : IO::Socket::INET->new($_[0]) }
my ($at, $what) = @ARGV;
my $socket = connect_to($at) or exit 1;

# One command line, and its answer's lines up to the one that ends it.
sub ask {
	my ($s, $line, $last) = @_;
	print $s "$line\r\n";
	while (my $answer = <$s>) {
		$answer =~ s/\r\n$//;
		push my @lines, $answer;
		print "$answer\n" unless length $answer > 60;
		return $answer if $answer =~ /^(?:$last)/;
	}
}
my $ends = 'STORED|END|ERROR|CLIENT_ERROR|SERVER_ERROR|DELETED|NOT_FOUND|NOT_STORED|EXISTS|OK|\d|VERSION|MN';

if ($what eq 'ask') {
	ask($socket, $_, $ends) for @ARGV[2 .. $#ARGV];
} elsif ($what eq 'sizes') {
	for my $size (0, 1, 1000, 16384, 100000, 900000, 2000000) {
		my $value = 'v' x $size;
		print "$size: ";
		ask($socket, "set k$size 0 0 $size\r\n$value", $ends);
		print $socket "get k$size\r\n";
		my $got = <$socket>;
		if ($got =~ /^VALUE/) {
			read $socket, my $back, $size + 2;
			print $back eq "$value\r\n" ? "same\n" : "differs\n";
			$got = <$socket>;
		}
	}
} elsif ($what eq 'many') {
	# All at once: nobody waits for another's answer.
	my @clients = map { connect_to($at) } 1 .. 40;
	my %n;
	for my $i (0 .. $#clients) {
		print { $clients[$i] } map { "set c$i-$_ 0 0 6\r\nvalue!\r\nget c$i-$_\r\nincr total 1\r\n" } 1 .. 50;
		$clients[$i]->flush;
	}
	for my $client (@clients) {
		for (1 .. 50 * 5) { my $line = <$client>; $line =~ s/\d+//g; $n{$line}++ }
	}
	s/\r\n// && 1 for keys %n;
	printf "%d %s", $n{$_}, $_ =~ s/\r//r for sort keys %n;
}
CLIENT
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
client() { perl "$client" "$@"; }
client=$1
memcached -u "$(id -un)" -s "$dir/s" -t 4 -m 8 -I 1m &
servers=($!)
until_done $! client "$dir/s" ask version
client "$dir/s" sizes
client "$dir/s" ask $'set total 0 0 1\r\n0'
client "$dir/s" many
client "$dir/s" ask 'get total' 'delete total' 'delete total' 'touch none 1' 'incr none 1' 'bad command' 'flush_all' 'get k1'
client "$dir/s" ask stats | grep -E 'STAT (threads|total_items|cmd_get|cmd_set|get_hits|get_misses) '
kill "$!"
wait "${servers[0]}"
echo "memcached: $?"

until client "127.0.0.1:$port" ask version >/dev/null 2>&1; do
	port=$(free_port)
	memcached -u "$(id -un)" -l 127.0.0.1 -p "$port" -U 0 -t 2 -c 20 2>/dev/null &
	servers=($!)
	until_done $! client "127.0.0.1:$port" ask version
done
client "127.0.0.1:$port" sizes
kill -USR1 "${servers[0]}"
wait "${servers[0]}"
echo "memcached, after its clients: $?"
servers=()
SESSION
	same bash "$BATS_TEST_TMPDIR/session" "$BATS_TEST_TMPDIR/client"
	grep -qx 'memcached: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

# bats test_tags=all
@test "redis-server: append-only file, snapshots, pubsub, blocking commands, a replica, restarts, kill -9" {
	need_program redis-server redis-cli redis-benchmark
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
# What the shell says of those that were killed has their pids.
exec 2>/dev/null
mkdir "$dir/a" "$dir/b"
cli() { redis-cli -s "$dir/$1/s" "${@:2}"; }
start() {
	redis-server --unixsocket "$dir/$1/s" --dir "$dir/$1" --save '' --daemonize no --appendonly yes --appendfsync always \
		--enable-debug-command local --logfile "$dir/$1/log" "${@:2}" &
	servers[0]=$!
	until_done $! cli "$1" ping
	until_shows "$1" loading:0 info persistence
}
# until_shows NAME PATTERN COMMAND...: what redis says of itself.
until_shows() {
	until cli "$1" "${@:3}" | tr -d '\r' | grep -qx "$2"; do kill -0 "${servers[0]}" || return; done
}
shows() { cli a info persistence | tr -d '\r' | grep "^$1"; }

until [ "$(cli a ping 2>/dev/null)" = PONG ]; do
	port=$(free_port)
	start a --bind 127.0.0.1 --port "$port" --repl-diskless-sync-delay 0 --io-threads 3 --io-threads-do-reads yes
done
seq 3000 | sed 's/.*/set key& &/' | cli a --pipe | tail -n 1
head -c 3000000 /dev/zero | tr '\0' v | cli a -x set large
cli a strlen large
cli a get large | cksum
cli a bgrewriteaof
until_shows a aof_rewrite_in_progress:0 info persistence
until_shows a aof_rewrite_scheduled:0 info persistence
cli a bgsave
until_shows a rdb_bgsave_in_progress:0 info persistence
shows 'aof_enabled\|aof_last_bgrewrite_status\|rdb_last_bgsave_status'

# Each waits until another has what it wants.
cli a blpop waiting 0 >"$dir/popped" &
first=$!
until_shows a blocked_clients:1 info clients
cli a xread block 0 streams stream '$' >"$dir/streamed" &
until_shows a blocked_clients:2 info clients
cli a blpop never 0.05
cli a xadd stream '*' field value >/dev/null
cli a rpush waiting now
wait $! "$first"
grep -hv -- - "$dir/popped" "$dir/streamed"
cli a subscribe news >"$dir/heard" &
until [ "$(cli a publish news hello)" = 1 ]; do :; done
until grep -q hello "$dir/heard"; do :; done
kill $!
wait $!
sort "$dir/heard" | uniq -c
printf 'multi\nincr n\nincr n\nexec\nget n\n' | cli a
cli a eval 'local s = 0 for i = 1, 3000 do s = s + redis.call("get", "key" .. i) end return s' 0
redis-benchmark -s "$dir/a/s" -q -n 1000 -c 30 -P 8 | tr '\r' '\n' | grep -c 'requests per second'
cli a dbsize

redis-server --port 0 --unixsocket "$dir/b/s" --dir "$dir/b" --save '' --daemonize no --replicaof 127.0.0.1 "$port" \
	--logfile "$dir/b/log" &
servers[1]=$!
until_done $! cli b ping
until_shows b master_link_status:up info replication
cli a wait 1 0
cli b dbsize
cli b get large | cksum
cli b set x y
cli b role | head -n 1
cli a shutdown
wait "${servers[0]}"
echo "redis-server: $?"
until_shows b master_link_status:down info replication
cli b replicaof no one
cli b set x y
kill "${servers[1]}"
wait "${servers[1]}"
echo "redis-server, told to end: $?"

start a --port 0
cli a dbsize
cli a set last word
kill -9 "${servers[0]}"
wait "${servers[0]}"
start a --port 0
cli a get last
cli a debug digest >"$dir/digest"
cli a debug reload
cli a debug digest | cmp - "$dir/digest" && echo reloaded
# It kills itself, and says at length why.
cli a debug segfault
wait "${servers[0]}"
echo "redis-server, after a crash: $?"
grep -c 'REDIS BUG REPORT START' "$dir/a/log"
servers=()
ls -R "$dir" | sed "s,$dir,,"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'redis-server: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

# bats test_tags=all
@test "PostgreSQL: initdb, psql, pgbench, pg_dump, COPY, NOTIFY, locks, reload, restart, a backend and the server killed" {
	need_program psql perl
	need_package postgresql
	if [ "$(id -u)" = 0 ]; then
		# The server refuses to be root, and who may not write the trace is not recorded.
		printf '#!/bin/sh\nexec setpriv --reuid=postgres --regid=postgres --clear-groups "$@"\n' \
			>"$BATS_TEST_TMPDIR/postgres"
		printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$BATS_TEST_TMPDIR/postgres" "$EAGAIN" >"$BATS_TEST_TMPDIR/eagain"
		chmod a+rx "$BATS_TEST_TMPDIR"/{postgres,eagain} "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
		chown postgres "$BATS_TEST_TMPDIR"
		EAGAIN=$BATS_TEST_TMPDIR/eagain
	fi
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
[ "$(id -u)" != 0 ] || exec "${0%/*}/postgres" bash "$0"
. "$SESSION"
bin=$(echo /usr/lib/postgresql/*/bin)
export PGHOST=$dir PGUSER=me PGDATABASE=postgres
cd "$dir"
"$bin/initdb" -D "$dir/data" -U me -A trust -N --locale=C >said || cat said
cat >>data/postgresql.conf <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
max_connections = 30
shared_buffers = 16MB
fsync = off
autovacuum = off
CONF
ctl() { "$bin/pg_ctl" -s -D "$dir/data" "$@"; }
start() {
	"$bin/postgres" -D "$dir/data" >>"$dir/log" 2>&1 &
	servers=($!)
	until_done $! "$bin/pg_isready" -q
}
sql() { psql -XAtq -v VERBOSITY=terse "$@"; }

start
sql -c 'create table t (n int primary key, s text)'
seq 50000 | sed "s/.*/&,text &/" | sql -c 'copy t from stdin csv'
sql -c 'select count(*), sum(n), max(length(s)) from t'
sql -c 'copy t to stdout' | cksum
sql -c "select repeat('x', 8000000)" | cksum
sql -c 'select no_such_column' ; echo "psql: $?"
"$bin/pgbench" -q -i -s 1 2>&1 | tail -n 1 | sed 's/ in .*//'
"$bin/pgbench" -n -t 100 -c 8 -j 2 2>/dev/null | grep 'actually processed\|failed'
"$bin/pgbench" -n -S -C -t 10 -c 4 -j 2 2>/dev/null | grep 'actually processed\|failed'
sql -c 'select sum(abalance) =
	(select sum(delta) from pgbench_history), (select count(*) from pgbench_history) from pgbench_accounts'
# Each dump has a key of its own.
"$bin/pg_dump" -t t | grep -v restrict | cksum
"$bin/pg_dump" -Fc -f dump
sql -c 'create database other'
"$bin/pg_restore" -d other dump && sql -d other -c 'select count(*) from pgbench_accounts'
"$bin/vacuumdb" -q -a -j 2; echo "vacuumdb: $?"

# One waits for a lock that another holds, until that other is killed; one waits until its time is up.
mkfifo in
sql <in >out 2>&1 &
exec 3>in
echo 'select pg_backend_pid(); begin; lock table t;' >&3
until [ -s out ]; do :; done
sql -c "set lock_timeout = '50ms'; select count(*) from t"
sql -c "set statement_timeout = '50ms'; select pg_sleep(60)"
sql -c 'select count(*) from t' >waited &
until [ "$(sql -c "select count(*) from pg_stat_activity where wait_event_type = 'Lock'")" = 1 ]; do :; done
sql -c "select pg_terminate_backend($(<out))"
wait $!
cat waited
exec 3>&-

# A message from one to another.
mkfifo in2
sql <in2 >heard 2>&1 &
exec 3>in2
echo 'listen news; select 1;' >&3
until [ -s heard ]; do :; done
sql -c "notify news, 'hello'"
until grep -q hello heard; do echo 'select 1;' >&3; done
exec 3>&-
wait $!
sed -n 's/ received from .*//p' heard

echo 'log_min_duration_statement = 77' >>data/postgresql.conf
ctl reload
until [ "$(sql -c 'show log_min_duration_statement')" = 77ms ]; do :; done

# A crash of one: all others are ended, and the server recovers.
sql <in >out 2>&1 &
exec 3>in
echo 'select pg_backend_pid();' >&3
until [ "$(wc -l <out)" = 1 ]; do :; done
before=$(sql -c 'select pg_postmaster_start_time()')
kill -9 "$(<out)"
until grep -q 'reinitializing' log; do :; done
exec 3>&-
wait $!
until_done "${servers[0]}" "$bin/pg_isready" -q
[ "$before" = "$(sql -c 'select pg_postmaster_start_time()')" ] && echo "the same server"
sql -c 'select count(*), sum(n) from t'

ctl restart -l "$dir/log2" -m fast
{ wait "${servers[0]}"; } 2>/dev/null
echo "postgres: $?"
servers=("$(head -n 1 data/postmaster.pid)")
sql -c 'select count(*) from pgbench_history'
kill -9 "${servers[0]}"
# Its children find out, and go; until then no other server starts.
until start; do :; done
sql -c 'select count(*) from pgbench_history'
ctl stop -m smart
wait "${servers[0]}"
echo "postgres: $?"
start
ctl stop -m immediate
wait "${servers[0]}"
echo "postgres: $?"
servers=()
grep -ho 'terminated by signal [0-9]*\|reinitializing\|received .*\|canceling .*\|automatic recovery.*\|shutting down' log log2 |
	sort | uniq -c
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'postgres: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

# bats test_tags=all
@test "MariaDB, with its client, mariadb-slap and sysbench: locks, dump, a query killed, shutdown, kill -9 and recovery" {
	need_program mariadbd mariadb sysbench
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
# What the shell says of those that were killed has their pids.
exec 2>/dev/null
cd "$dir"
mkdir data
user=$(id -un)
mariadb-install-db --no-defaults --user="$user" --datadir="$dir/data" --auth-root-authentication-method=normal --skip-test-db \
	--cross-bootstrap >said 2>&1 || cat said
start() {
	mariadbd --no-defaults --user="$user" --datadir="$dir/data" --socket="$dir/s" --pid-file="$dir/pid" --skip-networking \
		--innodb-buffer-pool-size=16M --innodb-flush-log-at-trx-commit=0 --thread-handling="$1" >>"$dir/log" 2>&1 &
	servers=($!)
	until_done $! mariadb-admin -S "$dir/s" -u root ping
}
sql() { mariadb --no-defaults -S "$dir/s" -u root -N -B "$@" 2>&1; }

start one-thread-per-connection
sql -e 'create database d'
sql d -e 'create table t (n int primary key, s varchar(40)) engine=innodb'
seq 20000 | sed 's/.*/insert into t values (&, "text &");/' | (echo 'begin;'; cat; echo 'commit;') | sql d
sql d -e 'select count(*), sum(n), max(length(s)) from t'
sql d -e 'select n, s from t order by n' | cksum
sql d -e "select repeat('x', 8000000)" | cksum
sql d -e 'select no_such_column from t'; echo "mariadb: $?"
mariadb-dump --no-defaults -S "$dir/s" -u root --skip-dump-date d | grep -v '^--' | cksum
seq 30000 | sed 's/$/\tloaded/' >rows
sql d --local-infile -e "create table u like t; load data local infile 'rows' into table u; select count(*) from u"
mariadb-slap --no-defaults -S "$dir/s" -u root --silent -a -c 8 -i 2 --number-of-queries=400 --detach=10; echo "mariadb-slap: $?"
bench() {
	sysbench --db-driver=mysql --mysql-socket="$dir/s" --mysql-user=root --mysql-db=d --mysql-ignore-errors=all --tables=2 \
		--table-size=2000 --threads=4 --events=400 --time=0 oltp_read_write "$1"
}
# Its threads may write into each other's lines.
bench prepare | grep -o Creating | wc -l
bench run | grep 'total number of events\|reconnects' | sed 's/(.*//'

# One waits for a lock that another holds; one is killed while it sleeps.
mkfifo in
sql -n d <in >out &
exec 3>in
echo 'begin; select n from t where n = 1 for update;' >&3
until [ -s out ]; do :; done
sql d -e 'set innodb_lock_wait_timeout = 1; update t set s = "x" where n = 1'
sql d -e 'update t set s = "waited" where n = 1; select s from t where n = 1' 3>&- >waited &
until [ "$(sql -e "select count(*) from information_schema.processlist where state = 'Updating'")" = 1 ]; do :; done
exec 3>&-
wait $!
cat waited
sql -e 'select sleep(60)' >slept &
until id=$(sql -e "select id from information_schema.processlist where info = 'select sleep(60)'") && [ "$id" ]; do :; done
sql -e "kill query $id"
wait $!
cat slept
mariadb-admin --no-defaults -S "$dir/s" -u root shutdown
wait "${servers[0]}"
echo "mariadbd: $?"

start pool-of-threads
sql d -e 'update t set s = "last word" where n = 2'
mariadb-slap --no-defaults -S "$dir/s" -u root --silent -a -c 8 --number-of-queries=200; echo "mariadb-slap: $?"
sql -e 'flush logs'
kill -9 "${servers[0]}"
wait "${servers[0]}"
echo "mariadbd, killed: $?"
start pool-of-threads
sql d -e 'select count(*), (select s from t where n = 2) from t'
kill -HUP "${servers[0]}"
sql d -e 'check table t, u'
kill "${servers[0]}"
wait "${servers[0]}"
echo "mariadbd, told to end: $?"
servers=()
grep -o 'Starting crash recovery\|Normal shutdown\|Shutdown complete\|ready for connections' log | sort | uniq -c
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'mariadbd: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

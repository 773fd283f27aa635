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

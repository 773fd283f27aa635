// program.js - streams, sockets, HTTP, children, threads and signals in node.
const cp = require("child_process"), fs = require("fs"), http = require("http"), net = require("net");
const { Worker } = require("worker_threads");
const { once } = require("events");
const { pipeline } = require("stream/promises");

async function lines() {
	const server = net.createServer((s) => s.pipe(s)).listen(0, "127.0.0.1");
	await once(server, "listening");
	const talks = [1, 2, 3, 4].map(async (n) => {
		const s = net.connect(server.address().port, "127.0.0.1");
		const sent = Buffer.alloc(n * 500000, "x" + n), got = [];
		s.end(sent);
		for await (const part of s)
			got.push(part);
		return Buffer.concat(got).equals(sent);
	});
	console.log("talked:", await Promise.all(talks));
	server.close();
}

async function web() {
	const server = http.createServer((q, a) => q.pipe(a)).listen(0, "127.0.0.1");
	await once(server, "listening");
	const at = "http://127.0.0.1:" + server.address().port;
	for (let i = 0; i < 5; i++) {
		const r = await fetch(at, { method: "POST", body: "request ".repeat(i * 10000 + 1) });
		console.log("fetched:", r.status, (await r.text()).length);
	}
	server.closeAllConnections();
	server.close();
}

async function children() {
	console.log("sync:", cp.execFileSync("tr", ["a-z", "A-Z"], { input: "through tr\n" }).toString());
	const sort = cp.spawn("sort", ["-rn"], { stdio: ["pipe", "pipe", "inherit"] });
	for (let i = 0; i < 50000; i++)
		sort.stdin.write(i + "\n");
	sort.stdin.end();
	let size = 0;
	for await (const part of sort.stdout)
		size += part.length;
	console.log("sorted:", size);
	const sleeper = cp.spawn("sleep", ["100"]);
	sleeper.kill();
	console.log("killed:", await once(sleeper, "exit"));
	const forked = cp.fork(__filename, ["child"]);
	forked.send({ to: "child" });
	console.log("message:", (await once(forked, "message"))[0], (await once(forked, "exit"))[0]);
}

async function rest() {
	const worker = new Worker("require('worker_threads').parentPort.postMessage(require('fs').readFileSync(0).length)", { eval: true });
	console.log("stdin, by a worker:", (await once(worker, "message"))[0]);
	await pipeline(fs.createReadStream("/proc/self/status"), fs.createWriteStream("copy"));
	console.log("copied:", fs.readFileSync("copy", "latin1").startsWith("Name:"));
	fs.unlinkSync("copy");
	const alive = setInterval(() => {}, 1000);
	const signal = once(process, "SIGUSR2");
	process.kill(process.pid, "SIGUSR2");
	console.log("signal:", (await signal)[0]);
	clearInterval(alive);
	process.stdout.write("y".repeat(300000) + "\n");
	process.exitCode = 5;
}

if (process.argv[2] === "child")
	process.once("message", (m) => { process.send({ back: m.to }); process.exitCode = 4; process.disconnect(); });
else
	lines().then(web).then(children).then(rest);

# program.rb - sockets, threads, select, timeouts, passed fds, children and signals in ruby.
require "open3"
require "socket"
require "timeout"

server = TCPServer.new("127.0.0.1", 0)
Thread.new { loop { Thread.new(server.accept) { |s| while (line = s.gets) do s.write(line.reverse.strip + "\n") end; s.close } } }
talks = (1..10).map do |n|
  Thread.new do
    s = TCPSocket.new("127.0.0.1", server.addr[1])
    50.times.all? { |i| s.puts("#{i}/#{n}"); s.gets == "#{i}/#{n}".reverse + "\n" }
  end
end
p talks.map(&:value)

a, b = UNIXSocket.pair
begin
  a.read_nonblock(10)
rescue IO::WaitReadable => e
  puts e.class
end
p IO.select([a], nil, nil, 0.02)
b.write("x" * 100)
p IO.select([a], [b], nil, 5).map(&:size), a.readpartial(1000).size
begin
  Timeout.timeout(0.05) { a.read(1) }
rescue Timeout::Error => e
  puts e.message
end
a.send_io($stdout)
passed = b.recv_io
passed.puts("through a passed fd")
passed.close

r, w = IO.pipe
pid = fork { r.close; 20000.times { |i| w.puts(i) }; exit!(7) }
w.close
p r.each_line.sum(&:to_i), Process.wait2(pid)[1].exitstatus
p Open3.capture3("sort; echo errors >&2; exit 3", stdin_data: "b\na\n").map(&:to_s).first(2)
IO.popen(["tr", "a-z", "A-Z"], "r+") { |io| io.puts("through tr"); io.close_write; puts io.read }
puts `echo backticks; kill -9 $$`, $?.termsig
trap("USR1") { puts "signal" }
Process.kill("USR1", $$)
u = UDPSocket.new
u.bind("127.0.0.1", 0)
u.send("datagram", 0, "127.0.0.1", u.addr[1])
p u.recvfrom(100)[0]
q = Queue.new
reader = Thread.new { q << $stdin.read.size }
p q.pop
reader.join
sleeper = Thread.new { sleep }
Thread.pass until sleeper.stop?
sleeper.wakeup
sleeper.join
exit 6

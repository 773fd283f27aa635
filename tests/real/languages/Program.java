/* Program.java - blocking sockets with threads, a selector, children, interrupts and files in java.  */
import java.io.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.file.*;
import java.util.concurrent.*;

public class Program {
	static void threads() throws Exception {
		try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
			Thread acceptor = new Thread(() -> {
				try {
					for (;;) {
						Socket s = server.accept();
						new Thread(() -> {
							try (s) {
								s.getInputStream().transferTo(s.getOutputStream());
							} catch (IOException e) {
								System.out.println(e);
							}
						}).start();
					}
				} catch (IOException e) {
					System.out.println("acceptor: " + e.getMessage());
				}
			});
			acceptor.start();
			ExecutorService pool = Executors.newFixedThreadPool(4);
			var sums = new java.util.ArrayList<Future<Integer>>();
			for (int n = 1; n <= 8; n++) {
				int size = n * 100000;
				sums.add(pool.submit(() -> {
					try (Socket s = new Socket(server.getInetAddress(), server.getLocalPort())) {
						Thread writer = new Thread(() -> {
							try {
								s.getOutputStream().write(new byte[size]);
								s.shutdownOutput();
							} catch (IOException e) {
								System.out.println(e);
							}
						});
						writer.start();
						return s.getInputStream().readAllBytes().length;
					}
				}));
			}
			for (Future<Integer> f : sums)
				System.out.println("echoed " + f.get());
			pool.shutdown();
			try (Socket s = new Socket(server.getInetAddress(), server.getLocalPort())) {
				s.setSoTimeout(30);
				s.getInputStream().read();
			} catch (SocketTimeoutException e) {
				System.out.println(e.getMessage());
			}
			server.close();
			acceptor.join();
		}
	}

	static void selector() throws Exception {
		Selector selector = Selector.open();
		ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
		server.configureBlocking(false);
		server.register(selector, SelectionKey.OP_ACCEPT);
		Thread client = new Thread(() -> {
			try (SocketChannel c = SocketChannel.open(server.getLocalAddress())) {
				for (int i = 0; i < 100; i++) {
					ByteBuffer b = ByteBuffer.wrap(("line " + i + "\n").getBytes());
					int size = b.remaining();
					c.write(b);
					for (b.clear(); b.position() < size; )
						c.read(b);
				}
				System.out.println("client is done");
			} catch (IOException e) {
				System.out.println(e);
			}
		});
		client.start();
		for (int bytes = 0, open = 1; open > 0; ) {
			selector.select();
			for (var keys = selector.selectedKeys().iterator(); keys.hasNext(); ) {
				SelectionKey key = keys.next();
				keys.remove();
				if (key.isAcceptable()) {
					SocketChannel c = server.accept();
					System.out.println("second accept: " + server.accept());
					c.configureBlocking(false);
					c.register(selector, SelectionKey.OP_READ);
					continue;
				}
				SocketChannel c = (SocketChannel) key.channel();
				ByteBuffer b = ByteBuffer.allocate(64);
				int n = c.read(b);
				if (n < 0) {
					c.close();
					open = 0;
					System.out.println("served " + bytes);
				} else {
					bytes += n;
					c.write(b.flip());
				}
			}
		}
		client.join();
		server.close();
		selector.close();
	}

	static void rest() throws Exception {
		Process p = new ProcessBuilder("sh", "-c", "sort -r; echo errors >&2; exit 3").start();
		try (PrintWriter w = new PrintWriter(p.getOutputStream())) {
			for (int i = 0; i < 20000; i++)
				w.println(i);
		}
		System.out.println(p.getInputStream().readAllBytes().length + " " + new String(p.getErrorStream().readAllBytes()).trim() + " " + p.waitFor());
		Process sleeper = new ProcessBuilder("sleep", "100").start();
		sleeper.destroy();
		System.out.println("sleeper: " + sleeper.waitFor());
		System.out.println("stdin: " + System.in.readAllBytes().length);
		java.nio.channels.Pipe pipe = java.nio.channels.Pipe.open();
		Thread reader = new Thread(() -> {
			try {
				pipe.source().read(ByteBuffer.allocate(10));
			} catch (IOException e) {
				System.out.println("reader: " + e.getClass().getSimpleName());
			}
		});
		reader.start();
		reader.interrupt();
		reader.join();
		DatagramSocket u = new DatagramSocket(0, InetAddress.getLoopbackAddress());
		u.send(new DatagramPacket(new byte[100], 100, u.getLocalSocketAddress()));
		DatagramPacket got = new DatagramPacket(new byte[1000], 1000);
		u.receive(got);
		System.out.println("datagram: " + got.getLength());
		Files.writeString(Path.of("file"), "text");
		System.out.println(Files.readString(Path.of("file")));
		Files.delete(Path.of("file"));
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
	}

	public static void main(String[] args) throws Exception {
		threads();
		selector();
		rest();
		System.exit(7);
	}
}

/* libev.c - lines and HTTP with libev: everything is read and written until it would block.  */
#include <ev.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct bytes {
	char *data;
	size_t size, room;
};

struct connection {
	ev_io reader, writer;   /* of one fd */
	struct bytes in, out;
	size_t sent;
	bool http, ended;
};

struct listener {
	ev_io watcher;
	bool http;
};

static void append(struct bytes *b, const void *data, size_t size)
{
	if (b->size + size > b->room) {
		b->room = 2 * (b->size + size);
		b->data = realloc(b->data, b->room);
		if (!b->data)
			err(1, NULL);
	}
	if (data)
		memcpy(b->data + b->size, data, size);
	b->size += size;
}

static void drop(struct bytes *b, size_t size)
{
	memmove(b->data, b->data + size, b->size - size);
	b->size -= size;
}

static void end(struct ev_loop *loop, struct connection *c)
{
	ev_io_stop(loop, &c->reader);
	ev_io_stop(loop, &c->writer);
	close(c->reader.fd);
	free(c->in.data);
	free(c->out.data);
	free(c);
}

/* Takes one line from what came; false where there is none yet.  */
static bool answer_line(struct connection *c)
{
	char *newline = c->in.size ? memchr(c->in.data, '\n', c->in.size) : NULL;
	size_t size;

	if (!newline)
		return false;
	if (sscanf(c->in.data, "flood %zu\n", &size) == 1) {
		append(&c->out, NULL, size);
		memset(c->out.data + c->out.size - size, 'x', size);
		append(&c->out, "\n", 1);
	} else {
		append(&c->out, c->in.data, (size_t)(newline + 1 - c->in.data));
	}
	drop(&c->in, (size_t)(newline + 1 - c->in.data));
	return true;
}

/* The same for a request.  */
static bool answer_request(struct connection *c)
{
	char *head_end = c->in.size ? memmem(c->in.data, c->in.size, "\r\n\r\n", 4) : NULL, *field, path[16] = "", head[80];
	size_t head_size, body_size = 0, size = 0;
	const char *status = "200 OK";
	static char large[3000000];

	if (!head_end)
		return false;
	head_size = (size_t)(head_end + 4 - c->in.data);
	*head_end = 0;
	field = strcasestr(c->in.data, "\r\nContent-Length:");
	if (field)
		body_size = strtoul(strchr(field, ':') + 1, NULL, 10);
	if (c->in.size < head_size + body_size) {
		*head_end = '\r';
		return false;
	}
	sscanf(c->in.data, "%*s %15s", path);
	if (!strcmp(path, "/")) {
		size = (size_t)sprintf(large, "hello\n");
	} else if (!strcmp(path, "/large")) {
		for (; size < sizeof large; size += 5)
			memcpy(large + size, "large", 5);
	} else if (!strcmp(path, "/reverse") && body_size <= sizeof large) {
		for (; size < body_size; size++)
			large[size] = c->in.data[head_size + body_size - 1 - size];
	} else {
		status = "404 Not Found";
	}
	append(&c->out, head, (size_t)sprintf(head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status, size));
	append(&c->out, large, size);
	drop(&c->in, head_size + body_size);
	return true;
}

static void send_what_can_be(struct ev_loop *loop, struct connection *c)
{
	while (c->sent < c->out.size) {
		ssize_t n = send(c->writer.fd, c->out.data + c->sent, c->out.size - c->sent, 0);

		if (n < 0 && errno == EAGAIN) {
			ev_io_start(loop, &c->writer);
			return;
		}
		if (n < 0) {
			end(loop, c);
			return;
		}
		c->sent += (size_t)n;
	}
	c->sent = c->out.size = 0;
	ev_io_stop(loop, &c->writer);
	if (c->ended)
		end(loop, c);
}

static void can_write(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)revents;
	send_what_can_be(loop, w->data);
}

static void can_read(struct ev_loop *loop, ev_io *w, int revents)
{
	struct connection *c = w->data;
	char part[4096];
	ssize_t n;

	(void)revents;
	while ((n = read(w->fd, part, sizeof part)) > 0)
		append(&c->in, part, (size_t)n);
	if (n < 0 && errno != EAGAIN) {
		end(loop, c);
		return;
	}
	c->ended = n == 0;
	if (c->ended)
		ev_io_stop(loop, w);
	while (c->http ? answer_request(c) : answer_line(c))
		continue;
	send_what_can_be(loop, c);
}

static void can_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	int fd;

	(void)revents;
	while ((fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *c = calloc(1, sizeof *c);

		if (!c)
			err(1, NULL);
		c->http = ((struct listener *)w)->http;
		ev_io_init(&c->reader, can_read, fd, EV_READ);
		ev_io_init(&c->writer, can_write, fd, EV_WRITE);
		c->reader.data = c->writer.data = c;
		ev_io_start(loop, &c->reader);
	}
}

/* Returns the port.  */
static int listen_for(struct ev_loop *loop, struct listener *l, bool http)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 50) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		err(1, "listen");
	l->http = http;
	ev_io_init(&l->watcher, can_accept, fd, EV_READ);
	ev_io_start(loop, &l->watcher);
	return ntohs(address.sin_port);
}

static void over(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

/* LIBEV_FLAGS, a variable of libev's: 1 is select, 2 poll, 4 epoll.  */
int main(void)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct listener echo, http;
	ev_signal terminated;
	int port;

	ev_signal_init(&terminated, over, SIGTERM);
	ev_signal_start(loop, &terminated);
	port = listen_for(loop, &echo, false);
	printf("%d %d\n", port, listen_for(loop, &http, true));
	fflush(stdout);
	ev_run(loop, 0);
	return 0;
}

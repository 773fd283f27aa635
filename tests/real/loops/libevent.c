/* libevent.c - lines and HTTP with libevent's buffers and its HTTP server.  */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include <arpa/inet.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void can_read(struct bufferevent *b, void *unused)
{
	struct evbuffer *in = bufferevent_get_input(b), *out = bufferevent_get_output(b);
	char *line;
	size_t length, size;

	(void)unused;
	while ((line = evbuffer_readln(in, &length, EVBUFFER_EOL_LF))) {
		if (sscanf(line, "flood %zu", &size) == 1) {
			char *flood = malloc(size);

			if (!flood)
				err(1, NULL);
			memset(flood, 'x', size);
			evbuffer_add(out, flood, size);
			free(flood);
		} else {
			evbuffer_add(out, line, length);
		}
		evbuffer_add(out, "\n", 1);
		free(line);
	}
}

static void ended(struct bufferevent *b, short what, void *unused)
{
	(void)what;
	(void)unused;
	bufferevent_free(b);
}

static void accepted(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *address, int size, void *base)
{
	struct bufferevent *b = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)l;
	(void)address;
	(void)size;
	bufferevent_setcb(b, can_read, NULL, ended, NULL);
	bufferevent_enable(b, EV_READ | EV_WRITE);
}

static void answer(struct evhttp_request *request, void *unused)
{
	const char *path = evhttp_request_get_uri(request);
	struct evbuffer *in = evhttp_request_get_input_buffer(request), *out = evbuffer_new();
	size_t size = evbuffer_get_length(in);
	char *body = malloc(size + 1);

	(void)unused;
	if (!out || !body)
		err(1, NULL);
	if (!strcmp(path, "/")) {
		evbuffer_add_printf(out, "hello\n");
	} else if (!strcmp(path, "/large")) {
		for (int i = 0; i < 600000; i++)
			evbuffer_add(out, "large", 5);
	} else if (!strcmp(path, "/reverse")) {
		evbuffer_remove(in, body, size);
		while (size)
			evbuffer_add(out, &body[--size], 1);
	} else {
		evhttp_send_reply(request, 404, "Not Found", out);
		goto done;
	}
	evhttp_send_reply(request, HTTP_OK, "OK", out);
done:
	evbuffer_free(out);
	free(body);
}

static int port_of(evutil_socket_t fd)
{
	struct sockaddr_in address;
	socklen_t size = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		err(1, "getsockname");
	return ntohs(address.sin_port);
}

static void over(evutil_socket_t number, short what, void *base)
{
	(void)number;
	(void)what;
	event_base_loopbreak(base);
}

/* EVENT_NOEPOLL and EVENT_NOPOLL, variables of libevent's, leave it with poll and select.  */
int main(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct event_base *base = event_base_new();
	struct evconnlistener *echo;
	struct evhttp *http = evhttp_new(base);
	struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
	struct event *terminated = evsignal_new(base, SIGTERM, over, base);

	signal(SIGPIPE, SIG_IGN);
	echo = evconnlistener_new_bind(base, accepted, base, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 50,
				       (struct sockaddr *)&address, sizeof address);
	if (!echo || !bound || !terminated)
		err(1, "listen");
	event_add(terminated, NULL);
	evhttp_set_gencb(http, answer, NULL);
	printf("%d %d\n", port_of(evconnlistener_get_fd(echo)), port_of(evhttp_bound_socket_get_fd(bound)));
	fflush(stdout);
	event_base_dispatch(base);
	evconnlistener_free(echo);
	evhttp_free(http);
	event_free(terminated);
	event_base_free(base);
	return 0;
}

/* slow.c - libev (-DLIBEV) or libevent with one callback that is slow: it says "begin" and "end" on stderr, and sleeps between.  */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void be_slow(void)
{
	struct timespec t = {.tv_nsec = 60000000};

	if (write(2, "begin\n", 6) != 6 || nanosleep(&t, NULL) < 0 || write(2, "end\n", 4) != 4)
		exit(1);
}

#ifdef LIBEV
#include <ev.h>

static ev_timer later;

static void stop(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void callback(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	be_slow();
	ev_timer_init(&later, stop, 0.01, 0);
	ev_timer_start(loop, &later);
}

int main(void)
{
	struct ev_loop *loop = ev_default_loop(0);
	ev_timer timer;

	ev_timer_init(&timer, callback, 0.01, 0);
	ev_timer_start(loop, &timer);
	ev_run(loop, 0);
	return 0;
}
#else
#include <event2/event.h>

static const struct timeval soon = {.tv_usec = 10000};

static void stop(evutil_socket_t fd, short events, void *base)
{
	(void)fd;
	(void)events;
	event_base_loopbreak(base);
}

static void callback(evutil_socket_t fd, short events, void *base)
{
	(void)fd;
	(void)events;
	be_slow();
	event_base_once(base, -1, EV_TIMEOUT, stop, base, &soon);
}

int main(void)
{
	struct event_base *base = event_base_new();

	event_base_once(base, -1, EV_TIMEOUT, callback, base, &soon);
	return event_base_dispatch(base) < 0;
}
#endif

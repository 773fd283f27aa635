/* wide.c - thread-local data of a megabyte: it is on the stack of each thread (pthread_attr_setstacksize(3)).  */
__thread char wide[1 << 20];

/*
 * The limit of the comparison: a TCP echo with nothing between the bytes and the kernel.
 * One thread, epoll, recv and send. Usage: echo-epoll PORT
 *
 * Level-triggered on purpose: one recv per wake-up and no second one that only says EAGAIN, which makes
 * one recv and one send per message the whole cost. All connections share one receive buffer, since its bytes
 * are gone again (sent, or copied to the connection's own pending buffer) before the next recv.
 *
 * A peer that does not read costs at most one receive buffer: while bytes are pending nothing is read from it.
 * For the same reason the peer's FIN is seen only after everything before it went back: then close sends ours.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECEIVE_BYTES = 256 * 1024, EVENTS_PER_WAIT = 256, LISTEN_BACKLOG = 4096 };

struct connection {
  int fd;
  char *pending;   /* bytes that send would not take, or NULL */
  size_t pending_length;
  size_t pending_sent;
};

static char receive_buffer[RECEIVE_BYTES];

static void die(const char *step) {
  fprintf(stderr, "echo-epoll: %s: %s\n", step, strerror(errno));
  exit(1);
}

static void close_connection(struct connection *connection) {
  close(connection->fd);
  free(connection->pending);
  free(connection);
}

static void wait_for(int epoll, struct connection *connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event) < 0) die("epoll_ctl");
}

/* Returns the bytes taken by the kernel, fewer than length when it is full, or -1 when the connection is broken. */
static ssize_t send_some(int fd, const char *bytes, size_t length) {
  size_t sent = 0;
  while (sent < length) {
    ssize_t n = send(fd, bytes + sent, length - sent, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EAGAIN) break;
      if (errno == EINTR) continue;
      return -1;
    }
    sent += (size_t)n;
  }
  return (ssize_t)sent;
}

static void on_readable(int epoll, struct connection *connection) {
  ssize_t received = recv(connection->fd, receive_buffer, RECEIVE_BYTES, 0);
  if (received < 0) {
    if (errno != EAGAIN && errno != EINTR) close_connection(connection);
    return;
  }
  if (received == 0) {
    close_connection(connection); /* nothing is pending while we read, so close sends our FIN after the last byte */
    return;
  }
  ssize_t sent = send_some(connection->fd, receive_buffer, (size_t)received);
  if (sent < 0) {
    close_connection(connection);
    return;
  }
  if (sent == received) return;
  connection->pending_length = (size_t)(received - sent);
  connection->pending_sent = 0;
  connection->pending = malloc(connection->pending_length);
  if (connection->pending == NULL) die("malloc");
  memcpy(connection->pending, receive_buffer + sent, connection->pending_length);
  wait_for(epoll, connection, EPOLLOUT);
}

static void on_writable(int epoll, struct connection *connection) {
  ssize_t sent = send_some(connection->fd, connection->pending + connection->pending_sent,
                           connection->pending_length - connection->pending_sent);
  if (sent < 0) {
    close_connection(connection);
    return;
  }
  connection->pending_sent += (size_t)sent;
  if (connection->pending_sent < connection->pending_length) return;
  free(connection->pending);
  connection->pending = NULL;
  wait_for(epoll, connection, EPOLLIN);
}

static void accept_all(int epoll, int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return; /* no more, or a peer that was gone before it was accepted */
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) die("calloc");
    connection->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
  }
}

static int listen_on(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
  if (listen(fd, LISTEN_BACKLOG) < 0) die("listen");
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: echo-epoll PORT\n");
    return 78;
  }
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  int listener = listen_on((uint16_t)atoi(argv[1]));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}; /* NULL stands for the listener */
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0) die("epoll_ctl");

  struct epoll_event events[EVENTS_PER_WAIT];
  for (;;) {
    int count = epoll_wait(epoll, events, EVENTS_PER_WAIT, -1);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (connection == NULL) {
        accept_all(epoll, listener);
      } else if (connection->pending != NULL) {
        on_writable(epoll, connection);
      } else {
        on_readable(epoll, connection);
      }
    }
  }
}

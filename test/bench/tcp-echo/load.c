/*
 * A closed-loop load generator for TCP echo: every connection keeps exactly one message in flight.
 * One thread, epoll. Usage: load HOST PORT CONNECTIONS MESSAGE_BYTES DURATION_MS WARMUP_MS
 *
 * Prints one JSON line. `allMessages` counts those of the warm-up and of the end as well, `errors` the connections that
 * broke or brought back other bytes than went out, and `missing` those still without an answer five seconds after
 * the end; with either it exits 1. `waitedSeconds` is the time that other processes took from the generator while it
 * measured.
 *
 * Content: all messages are windows into one pattern of distinct 8-byte words, and each message takes another
 * window. So sending needs no copy, and a stale or shifted reply cannot look right. What comes back is compared
 * at the first and last 64 bytes of every chunk, and whole for small messages and for every 64th large one:
 * comparing every byte of every large message would make the generator, not the server, the slower of the two.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/load.h"

enum {
  RECEIVE_BYTES = 256 * 1024,
  EVENTS_PER_WAIT = 256,
  WINDOWS = 512,           /* different messages; a window starts at a multiple of 8 bytes */
  EDGE_BYTES = 64,         /* compared at either end of every received chunk */
  WHOLE_CHECK_EVERY = 64,  /* every so many large messages are compared whole */
  ANSWER_GRACE_MS = 5000,  /* for the messages in flight at the end */
};

struct connection {
  int fd;
  int wants_writable;
  uint64_t messages; /* completed by this connection; picks the window and the whole checks */
  const char *message;
  size_t sent;
  size_t received;
  uint64_t started_ns;
};

static char receive_buffer[RECEIVE_BYTES];
static char *pattern;
static size_t message_bytes;
static int epoll;
static struct histogram round_trips;
static uint64_t all_messages, errors;
static int in_flight, measuring, ending;

static void die(const char *step) {
  fprintf(stderr, "load: %s: %s\n", step, strerror(errno));
  exit(1);
}

static void fail(struct connection *connection, const char *reason) {
  if (errors++ == 0) fprintf(stderr, "load: connection failed: %s\n", reason);
  close(connection->fd);
  connection->fd = -1;
  in_flight--;
}

static void want_writable(struct connection *connection, int wanted) {
  if (connection->wants_writable == wanted) return;
  connection->wants_writable = wanted;
  struct epoll_event event = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = connection};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event) < 0) die("epoll_ctl");
}

static void send_rest(struct connection *connection) {
  while (connection->sent < message_bytes) {
    ssize_t n =
        send(connection->fd, connection->message + connection->sent, message_bytes - connection->sent, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) break;
      fail(connection, strerror(errno));
      return;
    }
    connection->sent += (size_t)n;
  }
  want_writable(connection, connection->sent < message_bytes);
}

static void start_message(struct connection *connection, uint64_t now) {
  size_t window = (connection->messages * 13 + (size_t)connection->fd * 7) % WINDOWS;
  connection->message = pattern + window * 8;
  connection->sent = 0;
  connection->received = 0;
  connection->started_ns = now;
  send_rest(connection);
}

static int chunk_is_right(const struct connection *connection, size_t length) {
  const char *expected = connection->message + connection->received;
  if (length <= 2 * EDGE_BYTES || connection->messages % WHOLE_CHECK_EVERY == 0)
    return memcmp(receive_buffer, expected, length) == 0;
  return memcmp(receive_buffer, expected, EDGE_BYTES) == 0 &&
         memcmp(receive_buffer + length - EDGE_BYTES, expected + length - EDGE_BYTES, EDGE_BYTES) == 0;
}

static void on_readable(struct connection *connection) {
  ssize_t n = recv(connection->fd, receive_buffer, RECEIVE_BYTES, 0);
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) fail(connection, strerror(errno));
    return;
  }
  if (n == 0) return fail(connection, "closed by the server");
  if (connection->received + (size_t)n > connection->sent) return fail(connection, "more came back than went out");
  if (!chunk_is_right(connection, (size_t)n)) return fail(connection, "other bytes came back than went out");
  connection->received += (size_t)n;
  if (connection->received < message_bytes) return;

  uint64_t now = now_ns();
  connection->messages++;
  all_messages++;
  if (measuring) {
    count_round_trip(&round_trips, now - connection->started_ns);
  }
  if (ending) {
    in_flight--;
  } else {
    start_message(connection, now);
  }
}

static void run_until(uint64_t deadline_ns) {
  struct epoll_event events[EVENTS_PER_WAIT];
  while (in_flight > 0) {
    uint64_t now = now_ns();
    if (now >= deadline_ns) return;
    int count = epoll_wait(epoll, events, EVENTS_PER_WAIT, (int)((deadline_ns - now) / 1000000u) + 1);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(connection);
      if (connection->fd >= 0 && connection->wants_writable && (events[i].events & EPOLLOUT)) send_rest(connection);
    }
  }
}

static void open_connection(struct connection *connection, const struct sockaddr_in *address) {
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection->fd < 0) die("socket");
  if (connect(connection->fd, (const struct sockaddr *)address, sizeof *address) < 0) die("connect");
  int on = 1;
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  /* connect blocked; nothing after it may. */
  if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) < 0) die("fcntl");
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0) die("epoll_ctl");
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: load HOST PORT CONNECTIONS MESSAGE_BYTES DURATION_MS WARMUP_MS\n");
    return 78;
  }
  struct sockaddr_in address = {.sin_family = AF_INET};
  if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
    fprintf(stderr, "load: HOST: \"%s\" is not an IPv4 address\n", argv[1]);
    return 78;
  }
  address.sin_port = htons((uint16_t)number_argument("PORT", argv[2], 1, 65535));
  size_t connection_count = number_argument("CONNECTIONS", argv[3], 1, 100000);
  message_bytes = number_argument("MESSAGE_BYTES", argv[4], 1, 64 * 1024 * 1024);
  uint64_t duration_ns = number_argument("DURATION_MS", argv[5], 1, 3600000) * 1000000u;
  uint64_t warmup_ns = number_argument("WARMUP_MS", argv[6], 0, 3600000) * 1000000u;

  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  size_t words = (message_bytes + WINDOWS * 8) / 8 + 1;
  uint64_t *pattern_words = malloc(words * 8);
  struct connection *connections = calloc(connection_count, sizeof *connections);
  if (pattern_words == NULL || connections == NULL) die("malloc");
  /* An odd multiplier maps distinct counters to distinct words. */
  for (size_t i = 0; i < words; i++) pattern_words[i] = (i + 1) * 0x9e3779b97f4a7c15u;
  pattern = (char *)pattern_words;

  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  for (size_t i = 0; i < connection_count; i++) {
    open_connection(&connections[i], &address);
  }
  for (size_t i = 0; i < connection_count; i++) {
    in_flight++;
    start_message(&connections[i], now_ns());
  }

  run_until(now_ns() + warmup_ns);
  measuring = 1;
  double waited_before = waited_seconds();
  uint64_t started = now_ns();
  run_until(started + duration_ns);
  double seconds = (double)(now_ns() - started) / 1e9;
  double waited = waited_seconds() - waited_before;
  measuring = 0;
  ending = 1;
  run_until(now_ns() + ANSWER_GRACE_MS * 1000000ull);

  printf("{\"messages\":%llu,\"allMessages\":%llu,\"seconds\":%.6f,\"messagesPerSecond\":%.1f,\"bytes\":%llu,\"errors\":%llu,"
         "\"missing\":%d,\"waitedSeconds\":%.6f,\"p50Us\":%.1f,\"p99Us\":%.1f}\n",
         (unsigned long long)round_trips.total, (unsigned long long)all_messages, seconds, (double)round_trips.total / seconds,
         (unsigned long long)round_trips.total * message_bytes, (unsigned long long)errors, in_flight,
         waited, percentile_us(&round_trips, 0.50), percentile_us(&round_trips, 0.99));
  if (in_flight > 0) fprintf(stderr, "load: %d messages never came back whole\n", in_flight);
  return errors == 0 && in_flight == 0 ? 0 : 1;
}

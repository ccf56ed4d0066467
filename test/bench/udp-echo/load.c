/*
 * A closed-loop load generator for UDP echo: every flow (a socket, and so a port, of its own) keeps exactly one
 * datagram in flight. One thread, epoll. Usage: load HOST PORT FLOWS DATAGRAM_BYTES DURATION_MS WARMUP_MS
 *
 * Prints one JSON line. `allMessages` counts those of the warm-up as well, `lost` the datagrams without an answer
 * after RESEND_MS, which are sent again. Exits 1 when a wrong answer came back or more than 1 in 1000 was lost.
 *
 * Content: every datagram starts with its flow and its number; the answer must have both, and the rest must be what
 * the flow always sends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/load.h"

enum {
  EVENTS_PER_WAIT = 256,
  RESEND_MS = 200,
};

struct head {
  uint32_t flow;
  uint32_t number;
};

struct flow {
  int fd;
  uint32_t number;
  uint64_t sent_ns;
  char *datagram;
};

static char answer[65536];
static size_t datagram_bytes;
static size_t flow_count;
static struct flow *flows;
static int epoll;
static struct histogram round_trips;
static uint64_t all_messages, lost, wrong;
static int measuring;

static void die(const char *step) {
  fprintf(stderr, "load: %s: %s\n", step, strerror(errno));
  exit(1);
}

static void send_next(struct flow *flow, uint64_t now) {
  struct head head = {.flow = (uint32_t)(flow - flows), .number = ++flow->number};
  memcpy(flow->datagram, &head, sizeof head);
  flow->sent_ns = now;
  if (send(flow->fd, flow->datagram, datagram_bytes, 0) < 0 && errno != EAGAIN && errno != ENOBUFS) die("send");
}

static void on_readable(struct flow *flow) {
  ssize_t length = recv(flow->fd, answer, sizeof answer, 0);
  if (length < 0) {
    if (errno != EAGAIN && errno != EINTR) die("recv");
    return;
  }
  struct head head;
  memcpy(&head, answer, sizeof head);
  int ours = (size_t)length == datagram_bytes && head.flow == (uint32_t)(flow - flows);
  if (ours && head.number < flow->number) return; /* the answer to one that was taken for lost */
  if (!ours || memcmp(answer, flow->datagram, datagram_bytes) != 0) wrong++;
  uint64_t now = now_ns();
  all_messages++;
  if (measuring) {
    count_round_trip(&round_trips, now - flow->sent_ns);
  }
  send_next(flow, now);
}

static void send_lost_again(uint64_t now) {
  for (size_t i = 0; i < flow_count; i++) {
    if (now - flows[i].sent_ns < RESEND_MS * 1000000ull) continue;
    lost++;
    send_next(&flows[i], now);
  }
}

static void run_until(uint64_t deadline_ns) {
  struct epoll_event events[EVENTS_PER_WAIT];
  uint64_t checked_ns = now_ns();
  for (uint64_t now = checked_ns; now < deadline_ns; now = now_ns()) {
    int count = epoll_wait(epoll, events, EVENTS_PER_WAIT, 20);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < count; i++) on_readable(events[i].data.ptr);
    if (now - checked_ns < RESEND_MS * 1000000ull / 4) continue;
    checked_ns = now_ns();
    send_lost_again(checked_ns);
  }
}

static void open_flow(struct flow *flow, const struct sockaddr_in *address) {
  flow->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (flow->fd < 0) die("socket");
  if (connect(flow->fd, (const struct sockaddr *)address, sizeof *address) < 0) die("connect");
  flow->datagram = malloc(datagram_bytes);
  if (flow->datagram == NULL) die("malloc");
  for (size_t i = 0; i < datagram_bytes; i++) flow->datagram[i] = (char)(i * 31 + (size_t)(flow - flows));
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = flow};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, flow->fd, &event) < 0) die("epoll_ctl");
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: load HOST PORT FLOWS DATAGRAM_BYTES DURATION_MS WARMUP_MS\n");
    return 78;
  }
  struct sockaddr_in address = {.sin_family = AF_INET};
  if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
    fprintf(stderr, "load: HOST: \"%s\" is not an IPv4 address\n", argv[1]);
    return 78;
  }
  address.sin_port = htons((uint16_t)number_argument("PORT", argv[2], 1, 65535));
  flow_count = number_argument("FLOWS", argv[3], 1, 1000);
  datagram_bytes = number_argument("DATAGRAM_BYTES", argv[4], sizeof(struct head), 65507);
  uint64_t duration_ns = number_argument("DURATION_MS", argv[5], 1, 3600000) * 1000000u;
  uint64_t warmup_ns = number_argument("WARMUP_MS", argv[6], 0, 3600000) * 1000000u;

  flows = calloc(flow_count, sizeof *flows);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (flows == NULL || epoll < 0) die("start");
  for (size_t i = 0; i < flow_count; i++) open_flow(&flows[i], &address);
  for (size_t i = 0; i < flow_count; i++) send_next(&flows[i], now_ns());

  run_until(now_ns() + warmup_ns);
  measuring = 1;
  double waited_before = waited_seconds();
  uint64_t started = now_ns();
  run_until(started + duration_ns);
  double seconds = (double)(now_ns() - started) / 1e9;
  double waited = waited_seconds() - waited_before;

  printf("{\"messages\":%llu,\"allMessages\":%llu,\"seconds\":%.6f,\"messagesPerSecond\":%.1f,\"lost\":%llu,"
         "\"waitedSeconds\":%.6f,\"p50Us\":%.1f,\"p99Us\":%.1f}\n",
         (unsigned long long)round_trips.total, (unsigned long long)all_messages, seconds,
         (double)round_trips.total / seconds, (unsigned long long)lost, waited, percentile_us(&round_trips, 0.50),
         percentile_us(&round_trips, 0.99));
  if (wrong > 0) fprintf(stderr, "load: %llu answers were wrong\n", (unsigned long long)wrong);
  int too_many_lost = lost * 1000 > all_messages;
  if (too_many_lost) fprintf(stderr, "load: %llu datagrams were lost\n", (unsigned long long)lost);
  return wrong == 0 && !too_many_lost ? 0 : 1;
}

/*
 * A closed-loop generator of whole connections: each of SLOTS connects, sends a message, reads it back, half-closes,
 * reads to the end, and begins again. One thread, epoll. A message here is a connection.
 * Usage: load HOST PORT SLOTS MESSAGE_BYTES DURATION_MS WARMUP_MS
 *
 * Prints one JSON line, as the load generator of tcp-echo does; exits 1 when a connection failed.
 *
 * Connections come from 64 addresses of 127.0.0.0/8 in turn: the one who closes first keeps the pair of addresses
 * for a minute, and one address has too few ports for that.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SLOTS = 4096, MAX_MESSAGE = 65536, EVENTS = 256, SOURCES = 64, BUCKETS = 200000 };

struct slot {
  int fd;
  int sent;
  size_t received;
  uint64_t started_ns;
};

static struct slot slots[MAX_SLOTS];
static struct sockaddr_in server;
static char message[MAX_MESSAGE], buffer[MAX_MESSAGE];
static size_t message_bytes;
static int epoll, open_slots, measuring, ending;
static uint64_t all_connections, measured, errors, next_source;
static uint32_t histogram[BUCKETS]; /* by microsecond */

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static double waited_seconds(void) {
  unsigned long long ran = 0, waited = 0;
  FILE *file = fopen("/proc/self/schedstat", "r");
  if (file != NULL) {
    if (fscanf(file, "%llu %llu", &ran, &waited) != 2) waited = 0;
    fclose(file);
  }
  return (double)waited / 1e9;
}

static void fail(const char *what) {
  if (errors++ == 0) perror(what);
}

static void begin(struct slot *slot) {
  struct sockaddr_in source = {.sin_family = AF_INET};
  int on = 1;
  slot->fd = -1;
  if (ending) return;
  slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  slot->sent = 0;
  slot->received = 0;
  slot->started_ns = now_ns();
  source.sin_addr.s_addr = htonl(0x7f000100u + (uint32_t)(next_source++ % SOURCES));
  setsockopt(slot->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(slot->fd, (struct sockaddr *)&source, sizeof source) != 0) fail("bind");
  if (connect(slot->fd, (struct sockaddr *)&server, sizeof server) != 0 && errno != EINPROGRESS) fail("connect");
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = slot};
  epoll_ctl(epoll, EPOLL_CTL_ADD, slot->fd, &event);
  open_slots++;
}

static void end(struct slot *slot, int complete) {
  close(slot->fd);
  open_slots--;
  if (complete) {
    uint64_t us = (now_ns() - slot->started_ns) / 1000;
    all_connections++;
    if (measuring) {
      measured++;
      histogram[us < BUCKETS ? us : BUCKETS - 1]++;
    }
  }
  begin(slot);
}

static void step(struct slot *slot, uint32_t events) {
  if (!slot->sent) {
    if (send(slot->fd, message, message_bytes, MSG_NOSIGNAL) != (ssize_t)message_bytes) {
      fail("send");
      end(slot, 0);
      return;
    }
    slot->sent = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};
    epoll_ctl(epoll, EPOLL_CTL_MOD, slot->fd, &event);
    return;
  }
  (void)events;
  ssize_t got = recv(slot->fd, buffer, sizeof buffer, 0);
  if (got > 0) {
    if (slot->received + (size_t)got > message_bytes || memcmp(buffer, message + slot->received, (size_t)got) != 0) {
      errno = EPROTO;
      fail("echo");
    }
    slot->received += (size_t)got;
    if (slot->received == message_bytes) shutdown(slot->fd, SHUT_WR);
  } else if (got == 0) {
    if (slot->received != message_bytes) {
      errno = EPROTO;
      fail("early end");
    }
    end(slot, slot->received == message_bytes);
  } else if (errno != EAGAIN) {
    fail("recv");
    end(slot, 0);
  }
}

static void run_until(uint64_t deadline_ns) {
  struct epoll_event events[EVENTS];
  while (now_ns() < deadline_ns && (open_slots > 0 || !ending)) {
    int count = epoll_wait(epoll, events, EVENTS, 10);
    for (int index = 0; index < count; index++) step(events[index].data.ptr, events[index].events);
  }
}

static uint32_t percentile(double part) {
  uint64_t wanted = (uint64_t)((double)measured * part), seen = 0;
  for (uint32_t us = 0; us < BUCKETS; us++) {
    seen += histogram[us];
    if (seen > wanted) return us;
  }
  return BUCKETS;
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: load HOST PORT SLOTS MESSAGE_BYTES DURATION_MS WARMUP_MS\n");
    return 2;
  }
  server.sin_family = AF_INET;
  inet_pton(AF_INET, argv[1], &server.sin_addr);
  server.sin_port = htons((uint16_t)atoi(argv[2]));
  int slot_count = atoi(argv[3]);
  message_bytes = (size_t)atoi(argv[4]);
  if (slot_count < 1 || slot_count > MAX_SLOTS || message_bytes < 1 || message_bytes > MAX_MESSAGE) return 2;
  for (size_t index = 0; index < message_bytes; index++) message[index] = (char)('a' + index % 26);
  epoll = epoll_create1(0);
  for (int index = 0; index < slot_count; index++) begin(&slots[index]);
  run_until(now_ns() + (uint64_t)atoi(argv[6]) * 1000000u);
  measuring = 1;
  double waited = waited_seconds();
  uint64_t started = now_ns();
  run_until(started + (uint64_t)atoi(argv[5]) * 1000000u);
  double seconds = (double)(now_ns() - started) / 1e9;
  waited = waited_seconds() - waited;
  measuring = 0;
  ending = 1;
  run_until(now_ns() + 5000000000u);
  printf("{\"allMessages\":%llu,\"seconds\":%.6f,\"waitedSeconds\":%.6f,\"messagesPerSecond\":%.1f,\"p50Us\":%u,"
         "\"p99Us\":%u,\"errors\":%llu,\"missing\":%d}\n",
         (unsigned long long)all_connections, seconds, waited, (double)measured / seconds, percentile(0.5),
         percentile(0.99), (unsigned long long)errors, open_slots);
  return errors > 0 || open_slots > 0;
}

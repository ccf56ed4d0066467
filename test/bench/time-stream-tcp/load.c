/*
 * Clients that send the time: CLIENTS connections, each RATE stamps a second, spread evenly over time, so that hardly
 * two come together. Usage: load HOST PORT CLIENTS RATE iso|plain DURATION_MS
 *
 * iso:    2026-11-20T10:00:00.123456Z seq=7 mono=1234567890123 LF, as `time-stream-tcp send` writes it
 * plain:  2026-11-20 10:00:00 LF, which readline understands
 *
 * Prints one JSON line: how many were sent, and how late the last of them was. A connection that breaks, or that does
 * not take a stamp at once, ends it with 1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void die(const char *step) {
  fprintf(stderr, "load: %s: %s\n", step, strerror(errno));
  exit(1);
}

static int open_connection(const char *host, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int one = 1;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) die("socket");
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("inet_pton");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static int write_stamp(char *text, size_t size, int iso, uint64_t seq) {
  uint64_t wall = now_ns(CLOCK_REALTIME);
  time_t second = (time_t)(wall / 1000000000u);
  struct tm utc;
  char day[32];
  gmtime_r(&second, &utc);
  if (!iso) {
    strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &utc);
    return snprintf(text, size, "%s\n", day);
  }
  strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
  return snprintf(text, size, "%s.%06uZ seq=%llu mono=%llu\n", day, (unsigned)(wall % 1000000000u / 1000),
                  (unsigned long long)seq, (unsigned long long)now_ns(CLOCK_MONOTONIC));
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: load HOST PORT CLIENTS RATE iso|plain DURATION_MS\n");
    return 2;
  }
  int clients = atoi(argv[3]);
  double per_second = (double)clients * atof(argv[4]);
  int iso = strcmp(argv[5], "iso") == 0;
  uint64_t total = (uint64_t)(per_second * atof(argv[6]) / 1000);
  struct rlimit files = {(rlim_t)clients + 64, (rlim_t)clients + 64};
  setrlimit(RLIMIT_NOFILE, &files);
  int *sockets = calloc((size_t)clients, sizeof *sockets);
  if (sockets == NULL) die("calloc");
  for (int client = 0; client < clients; client++) sockets[client] = open_connection(argv[1], atoi(argv[2]));

  uint64_t start = now_ns(CLOCK_MONOTONIC), late = 0;
  char text[128];
  for (uint64_t k = 0; k < total; k++) {
    uint64_t due = start + (uint64_t)((double)k * 1e9 / per_second);
    struct timespec until = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
    if (now_ns(CLOCK_MONOTONIC) < due) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    int length = write_stamp(text, sizeof text, iso, k / (uint64_t)clients);
    if (send(sockets[k % (uint64_t)clients], text, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) != length) die("send");
    late = now_ns(CLOCK_MONOTONIC) - due;
  }
  printf("{\"sent\":%llu,\"lateMs\":%.3f}\n", (unsigned long long)total, (double)late / 1e6);
  fflush(stdout);
  for (int client = 0; client < clients; client++) close(sockets[client]);
  return 0;
}

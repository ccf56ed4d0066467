/*
 * One client for every file server of the bench, so that what is measured is the server: our protocol, HTTP/1.1 and
 * FTP. Blocking sockets; a thread for each connection, each with one request in flight.
 *
 *   load make FILE BYTES
 *   load make-tree FOLDER FOLDERS FILES BYTES
 *   load get PROTOCOL PORT NAME BYTES
 *   load put PROTOCOL PORT FILE NAME SHA256
 *   load get-small PROTOCOL PORT PREFIX FOLDERS FILES BYTES CONNECTIONS DURATION_MS WARMUP_MS
 *   load put-small PROTOCOL PORT PREFIX FOLDERS FILES BYTES CONNECTIONS DURATION_MS
 *   load slow-readers PROTOCOL PORT NAME CONNECTIONS BYTES_PER_SECOND DURATION_MS
 *
 * PROTOCOL is file, http or ftp. Prints one JSON line: `units` bytes or files in `seconds`, `allUnits` with those of the
 * warm-up and of the end. `waitedSeconds` is the
 * time that other processes took from the generator (0 with several connections: its threads wait for one another
 * too). Connecting and logging in are not timed. Anything but the promised bytes ends it with 1 and the reason.
 *
 * Content: every file of N bytes holds the first N bytes of one sequence of distinct 8-byte words, and small file K
 * starts at word K * 131, so that a shifted, stale or foreign piece cannot look right. What comes is compared at the
 * first and last 64 bytes of every chunk; comparing every byte would make the generator the slower of the two.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/load.h"

enum {
  RECEIVE_BYTES = 256 * 1024,
  LINE_BYTES = 4096,
  EDGE_BYTES = 64,
  MOST_SMALL_BYTES = 64 * 1024,
  MOST_CONNECTIONS = 1000,
  SLOW_STEP_MS = 20,
};

struct connection {
  int fd;
  size_t start, end; /* of what was received and not yet used */
  char *buffer;      /* RECEIVE_BYTES */
};

/* ---- Small parts ---- */

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(1);
}

/* ---- Content ---- */

static uint64_t word_at(uint64_t index) { return (index + 1) * 0x9e3779b97f4a7c15u; }

/* The bytes from `offset` of the sequence that starts at `first_word`. */
static void fill(char *target, size_t length, uint64_t first_word, uint64_t offset) {
  for (size_t i = 0; i < length; i++) {
    uint64_t at = offset + i;
    target[i] = (char)(word_at(first_word + at / 8) >> (8 * (at % 8)));
  }
}

static void check_edges(const char *chunk, size_t length, uint64_t first_word, uint64_t offset) {
  char expected[EDGE_BYTES];
  size_t edge = length < EDGE_BYTES ? length : EDGE_BYTES;
  fill(expected, edge, first_word, offset);
  if (memcmp(chunk, expected, edge) != 0) die("other bytes than the file's came at %llu", (unsigned long long)offset);
  fill(expected, edge, first_word, offset + length - edge);
  if (memcmp(chunk + length - edge, expected, edge) != 0)
    die("other bytes than the file's came before %llu", (unsigned long long)(offset + length));
}

/* ---- Bytes in and out ---- */

static void connect_to(struct connection *connection, uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection->fd < 0) die("socket: %s", strerror(errno));
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect: %s", strerror(errno));
  int on = 1;
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct timeval limit = {.tv_sec = 30};
  setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  connection->start = connection->end = 0;
  if (connection->buffer == NULL) connection->buffer = malloc(RECEIVE_BYTES);
  if (connection->buffer == NULL) die("no memory");
}

static void send_all(struct connection *connection, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = send(connection->fd, bytes, length, MSG_NOSIGNAL);
    if (n < 0) die("send: %s", strerror(errno));
    bytes += n;
    length -= (size_t)n;
  }
}

static void send_line(struct connection *connection, const char *format, ...) {
  char line[LINE_BYTES];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  send_all(connection, line, (size_t)length);
}

static void send_file(struct connection *connection, const char *path, uint64_t bytes) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) die("%s: %s", path, strerror(errno));
  while (bytes > 0) {
    ssize_t n = sendfile(connection->fd, file, NULL, bytes > (1 << 30) ? (1 << 30) : (size_t)bytes);
    if (n <= 0) die("sendfile: %s", n == 0 ? "the file is shorter" : strerror(errno));
    bytes -= (uint64_t)n;
  }
  close(file);
}

/* Reads more behind what is held; 0 when the server has ended the stream. */
static size_t receive(struct connection *connection) {
  if (connection->start == connection->end) {
    connection->start = connection->end = 0;
  } else if (connection->end == RECEIVE_BYTES) {
    if (connection->start == 0) die("a line without end");
    memmove(connection->buffer, connection->buffer + connection->start, connection->end - connection->start);
    connection->end -= connection->start;
    connection->start = 0;
  }
  for (;;) {
    ssize_t n = recv(connection->fd, connection->buffer + connection->end, RECEIVE_BYTES - connection->end, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die("recv: %s", errno == EAGAIN ? "nothing came for 30 s" : strerror(errno));
    connection->end += (size_t)n;
    return (size_t)n;
  }
}

/* The next line without its end; valid until the next read. */
static char *read_line(struct connection *connection) {
  for (size_t looked = 0;;) {
    char *line = connection->buffer + connection->start;
    size_t held = connection->end - connection->start;
    char *end = memchr(line + looked, '\n', held - looked);
    if (end != NULL) {
      connection->start += (size_t)(end + 1 - line);
      *end = '\0';
      if (end > line && end[-1] == '\r') end[-1] = '\0';
      return line;
    }
    looked = held;
    if (receive(connection) == 0) die("the server closed the connection");
  }
}

/* Takes `bytes` of content that starts at `first_word`, checks and forgets them. */
static void read_content(struct connection *connection, uint64_t bytes, uint64_t first_word) {
  uint64_t offset = 0;
  while (offset < bytes) {
    if (connection->start == connection->end && receive(connection) == 0)
      die("the server closed after %llu of %llu bytes", (unsigned long long)offset, (unsigned long long)bytes);
    size_t chunk = connection->end - connection->start;
    if (chunk > bytes - offset) chunk = (size_t)(bytes - offset);
    check_edges(connection->buffer + connection->start, chunk, first_word, offset);
    connection->start += chunk;
    offset += chunk;
  }
}

/* ---- The protocols: each opens a session, gets a file, and puts one ---- */

struct source {
  const char *path; /* sent with sendfile; or, if NULL, the bytes below */
  const char *bytes;
  uint64_t length;
  const char *sha256;
};

struct protocol {
  const char *name;
  void (*open)(struct connection *, uint16_t port);
  void (*get)(struct connection *, const char *name, uint64_t bytes, uint64_t first_word);
  void (*put)(struct connection *, const char *name, const struct source *);
  /* Asks for a file and leaves its bytes to come. */
  void (*request)(struct connection *, const char *name);
};

static char *expect(struct connection *connection, const char *start) {
  char *line = read_line(connection);
  if (strncmp(line, start, strlen(start)) != 0) die("\"%s\" came in place of \"%s\"", line, start);
  return line + strlen(start);
}

static void file_request(struct connection *connection, const char *name) {
  send_line(connection, "GET %s\r\n", name);
}

static void file_get(struct connection *connection, const char *name, uint64_t bytes, uint64_t first_word) {
  file_request(connection, name);
  uint64_t length = strtoull(expect(connection, "DATA "), NULL, 10);
  if (length != bytes) die("%llu bytes are announced, not %llu", (unsigned long long)length, (unsigned long long)bytes);
  read_content(connection, bytes, first_word);
  if (*read_line(connection) != '\0') die("no empty line after the payload");
  expect(connection, "OK");
}

/* A small payload goes with its command: the server may refuse it, but never takes it for commands. */
static void file_put(struct connection *connection, const char *name, const struct source *source) {
  char message[LINE_BYTES + MOST_SMALL_BYTES], digest[80] = "";
  if (source->sha256 != NULL) snprintf(digest, sizeof digest, " sha256=%s", source->sha256);
  size_t length = (size_t)snprintf(message, LINE_BYTES, "PUT %s %llu%s\r\n", name, (unsigned long long)source->length, digest);
  if (source->path == NULL) {
    memcpy(message + length, source->bytes, source->length);
    send_all(connection, message, length + source->length);
    expect(connection, "SEND 0");
  } else {
    send_all(connection, message, length);
    expect(connection, "SEND 0");
    send_file(connection, source->path, source->length);
  }
  expect(connection, "OK");
}

static void http_request(struct connection *connection, const char *name) {
  send_line(connection, "GET /%s HTTP/1.1\r\nHost: bench\r\n\r\n", name);
}

/* Reads a reply's head and returns its Content-Length, 0 without one. */
static uint64_t http_head(struct connection *connection, const char *status) {
  char *line = read_line(connection);
  if (strncmp(line, "HTTP/1.1 ", 9) != 0 || strncmp(line + 9, status, strlen(status)) != 0)
    die("\"%s\" came in place of a status %s", line, status);
  uint64_t length = 0;
  while (*(line = read_line(connection)) != '\0')
    if (strncasecmp(line, "content-length:", 15) == 0) length = strtoull(line + 15, NULL, 10);
  return length;
}

static void http_get(struct connection *connection, const char *name, uint64_t bytes, uint64_t first_word) {
  http_request(connection, name);
  uint64_t length = http_head(connection, "200");
  if (length != bytes) die("%llu bytes are announced, not %llu", (unsigned long long)length, (unsigned long long)bytes);
  read_content(connection, bytes, first_word);
}

static void http_put(struct connection *connection, const char *name, const struct source *source) {
  char message[LINE_BYTES + MOST_SMALL_BYTES];
  size_t length = (size_t)snprintf(message, LINE_BYTES, "PUT /%s HTTP/1.1\r\nHost: bench\r\nContent-Length: %llu\r\n\r\n",
                                   name, (unsigned long long)source->length);
  if (source->path == NULL) memcpy(message + length, source->bytes, source->length);
  send_all(connection, message, length + (source->path == NULL ? source->length : 0));
  if (source->path != NULL) send_file(connection, source->path, source->length);
  http_head(connection, "20"); /* 201 or 204 */
}

/* The last line of a reply, which starts with the code and a space; dies for another code. */
static char *ftp_expect(struct connection *connection, const char *code) {
  char *line;
  do line = read_line(connection);
  while (strlen(line) < 4 || line[3] != ' ');
  if (strncmp(line, code, strlen(code)) != 0) die("\"%s\" came in place of a reply %s", line, code);
  return line;
}

static void ftp_open(struct connection *connection, uint16_t port) {
  connect_to(connection, port);
  ftp_expect(connection, "220");
  send_line(connection, "USER anonymous\r\n");
  if (strncmp(ftp_expect(connection, ""), "331", 3) == 0) {
    send_line(connection, "PASS bench\r\n");
    ftp_expect(connection, "230");
  }
  send_line(connection, "TYPE I\r\n");
  ftp_expect(connection, "200");
}

/* Each file takes a connection of its own; its buffer is used again for the next. */
static void ftp_data(struct connection *control, struct connection *data) {
  send_line(control, "EPSV\r\n");
  char *port = strstr(ftp_expect(control, "229"), "|||");
  if (port == NULL) die("no port in the reply to EPSV");
  connect_to(data, (uint16_t)strtoul(port + 3, NULL, 10));
}

static _Thread_local struct connection ftp_data_connection;

static void ftp_request(struct connection *control, const char *name) {
  ftp_data(control, &ftp_data_connection);
  send_line(control, "RETR %s\r\n", name);
  ftp_expect(control, "150");
}

static void ftp_get(struct connection *control, const char *name, uint64_t bytes, uint64_t first_word) {
  struct connection *data = &ftp_data_connection;
  ftp_request(control, name);
  read_content(data, bytes, first_word);
  if (data->start != data->end || receive(data) != 0) die("more than %llu bytes came", (unsigned long long)bytes);
  close(data->fd);
  ftp_expect(control, "226");
}

static void ftp_put(struct connection *control, const char *name, const struct source *source) {
  struct connection *data = &ftp_data_connection;
  ftp_data(control, data);
  send_line(control, "STOR %s\r\n", name);
  ftp_expect(control, "150");
  if (source->path != NULL) {
    send_file(data, source->path, source->length);
  } else {
    send_all(data, source->bytes, source->length);
  }
  close(data->fd);
  ftp_expect(control, "226");
}

static const struct protocol protocols[] = {
    {"file", connect_to, file_get, file_put, file_request},
    {"http", connect_to, http_get, http_put, http_request},
    {"ftp", ftp_open, ftp_get, ftp_put, NULL},
};

static const struct protocol *protocol_argument(const char *name) {
  for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
    if (strcmp(protocols[i].name, name) == 0) return &protocols[i];
  fprintf(stderr, "load: PROTOCOL: \"%s\" is none of file, http, ftp\n", name);
  exit(78);
}

/* ---- Files to serve ---- */

static void make_file(const char *path, uint64_t bytes, uint64_t first_word) {
  static uint64_t words[RECEIVE_BYTES / 8];
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) die("%s: %s", path, strerror(errno));
  for (uint64_t offset = 0; offset < bytes;) {
    size_t chunk = bytes - offset < RECEIVE_BYTES ? (size_t)(bytes - offset) : RECEIVE_BYTES;
    for (size_t i = 0; i < (chunk + 7) / 8; i++) words[i] = word_at(first_word + offset / 8 + i);
    if (write(file, words, chunk) != (ssize_t)chunk) die("%s: %s", path, strerror(errno));
    offset += chunk;
  }
  close(file);
}

/* A small file's name below its prefix, and where its content starts. */
static void name_small(char *name, const char *prefix, uint64_t index, uint64_t files) {
  snprintf(name, LINE_BYTES, "%s/%02llu/%02llu", prefix, (unsigned long long)(index / files),
           (unsigned long long)(index % files));
}

static uint64_t small_word(uint64_t index) { return index * 131; }

static void make_tree(const char *folder, uint64_t folders, uint64_t files, uint64_t bytes) {
  char name[LINE_BYTES];
  mkdir(folder, 0755);
  for (uint64_t index = 0; index < folders * files; index++) {
    if (index % files == 0) {
      snprintf(name, sizeof name, "%s/%02llu", folder, (unsigned long long)(index / files));
      if (mkdir(name, 0755) < 0 && errno != EEXIST) die("%s: %s", name, strerror(errno));
    }
    name_small(name, folder, index, files);
    make_file(name, bytes, small_word(index));
  }
}

/* ---- Many small files ---- */

struct work {
  const struct protocol *protocol;
  uint16_t port;
  const char *prefix;
  uint64_t folders, files, bytes;
  int put;
  int connections;
};

struct worker {
  pthread_t thread;
  const struct work *work;
  int index;
  uint64_t all, done; /* done: while it was measured */
  uint32_t *samples_us10; /* tenths of a microsecond */
  size_t capacity;
};

static pthread_barrier_t ready;
static volatile int measuring, ending;

static void keep_sample(struct worker *worker, uint64_t ns) {
  if (worker->done == worker->capacity) {
    worker->capacity = worker->capacity == 0 ? 1 << 16 : worker->capacity * 2;
    worker->samples_us10 = realloc(worker->samples_us10, worker->capacity * sizeof(uint32_t));
    if (worker->samples_us10 == NULL) die("no memory");
  }
  worker->samples_us10[worker->done++] = (uint32_t)(ns / 100);
}

static void *run_worker(void *argument) {
  struct worker *worker = argument;
  const struct work *work = worker->work;
  struct connection connection = {0};
  char name[LINE_BYTES];
  char content[MOST_SMALL_BYTES];
  work->protocol->open(&connection, work->port);
  pthread_barrier_wait(&ready);
  uint64_t count = work->folders * work->files;
  for (uint64_t index = (uint64_t)worker->index; !ending; index += (uint64_t)work->connections) {
    if (index >= count) {
      if (work->put) break; /* each name once */
      index %= count;
    }
    name_small(name, work->prefix, index, work->files);
    uint64_t started = now_ns();
    if (work->put) {
      fill(content, work->bytes, small_word(index), 0);
      started = now_ns();
      struct source source = {.bytes = content, .length = work->bytes};
      work->protocol->put(&connection, name, &source);
    } else {
      work->protocol->get(&connection, name, work->bytes, small_word(index));
    }
    worker->all++;
    if (measuring) keep_sample(worker, now_ns() - started);
  }
  return NULL;
}

static int compare_samples(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static void sleep_ms(uint64_t ms) {
  struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
  while (nanosleep(&time, &time) < 0 && errno == EINTR) {}
}

static void run_small(const struct work *work, uint64_t duration_ms, uint64_t warmup_ms) {
  struct worker workers[MOST_CONNECTIONS] = {0};
  pthread_barrier_init(&ready, NULL, (unsigned)work->connections + 1);
  for (int i = 0; i < work->connections; i++) {
    workers[i].work = work;
    workers[i].index = i;
    if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0) die("pthread_create failed");
  }
  measuring = warmup_ms == 0;
  pthread_barrier_wait(&ready);
  if (warmup_ms > 0) sleep_ms(warmup_ms);
  measuring = 1;
  uint64_t started = now_ns(), most = duration_ms * 1000000;
  /* Puts may be done before the time is over. */
  for (int i = 0; i < work->connections; i++) {
    uint64_t spent = now_ns() - started, left = spent < most ? most - spent : 0;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)((left + (uint64_t)until.tv_nsec) / 1000000000u);
    until.tv_nsec = (long)((left + (uint64_t)until.tv_nsec) % 1000000000u);
    if (pthread_timedjoin_np(workers[i].thread, NULL, &until) == 0) workers[i].thread = 0;
  }
  uint64_t ended = now_ns();
  measuring = 0;
  ending = 1;
  for (int i = 0; i < work->connections; i++)
    if (workers[i].thread != 0) pthread_join(workers[i].thread, NULL);

  uint64_t all = 0, done = 0, copied = 0;
  for (int i = 0; i < work->connections; i++) {
    all += workers[i].all;
    done += workers[i].done;
  }
  if (done == 0) die("no file was done in the time");
  uint32_t *samples = malloc(done * sizeof(uint32_t));
  if (samples == NULL) die("no memory");
  for (int i = 0; i < work->connections; i++) {
    memcpy(samples + copied, workers[i].samples_us10, workers[i].done * sizeof(uint32_t));
    copied += workers[i].done;
  }
  qsort(samples, done, sizeof(uint32_t), compare_samples);
  printf("{\"units\":%llu,\"allUnits\":%llu,\"seconds\":%.6f,\"waitedSeconds\":0,\"p50Us\":%.1f,\"p99Us\":%.1f}\n",
         (unsigned long long)done, (unsigned long long)all, (double)(ended - started) / 1e9, samples[done / 2] / 10.0,
         samples[done * 99 / 100] / 10.0);
}

/* ---- Many slow readers ---- */

static void run_slow_readers(const struct protocol *protocol, uint16_t port, const char *name, int count,
                             uint64_t bytes_per_second, uint64_t duration_ms) {
  struct connection connections[MOST_CONNECTIONS] = {0};
  char *sink = malloc(RECEIVE_BYTES);
  if (protocol->request == NULL || sink == NULL) die("no slow readers in this protocol");
  for (int i = 0; i < count; i++) {
    protocol->open(&connections[i], port);
    protocol->request(&connections[i], name);
  }
  uint64_t step_bytes = bytes_per_second * SLOW_STEP_MS / 1000, received = 0, slowest = UINT64_MAX;
  uint64_t each[MOST_CONNECTIONS] = {0};
  uint64_t started = now_ns(), end = started + duration_ms * 1000000;
  while (now_ns() < end) {
    for (int i = 0; i < count; i++) {
      ssize_t n = recv(connections[i].fd, sink, step_bytes < RECEIVE_BYTES ? step_bytes : RECEIVE_BYTES, MSG_DONTWAIT);
      if (n == 0) die("the server closed on a slow reader");
      if (n < 0 && errno != EAGAIN && errno != EINTR) die("recv: %s", strerror(errno));
      if (n > 0) each[i] += (uint64_t)n;
    }
    sleep_ms(SLOW_STEP_MS);
  }
  for (int i = 0; i < count; i++) {
    received += each[i];
    if (each[i] < slowest) slowest = each[i];
  }
  printf("{\"units\":%llu,\"allUnits\":%llu,\"seconds\":%.6f,\"waitedSeconds\":0,\"slowestBytes\":%llu}\n",
         (unsigned long long)received, (unsigned long long)received, (double)(now_ns() - started) / 1e9, (unsigned long long)slowest);
}

/* ---- One large file ---- */

static void print_transfer(uint64_t bytes, uint64_t started, double waited_before) {
  printf("{\"units\":%llu,\"allUnits\":%llu,\"seconds\":%.6f,\"waitedSeconds\":%.6f}\n", (unsigned long long)bytes,
         (unsigned long long)bytes, (double)(now_ns() - started) / 1e9, waited_seconds() - waited_before);
}

static uint16_t port_argument(const char *text) { return (uint16_t)number_argument("PORT", text, 1, 65535); }

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  const uint64_t most_bytes = 1ull << 40;
  if (strcmp(mode, "make") == 0 && argc == 4) {
    make_file(argv[2], number_argument("BYTES", argv[3], 0, most_bytes), 0);
  } else if (strcmp(mode, "make-tree") == 0 && argc == 6) {
    make_tree(argv[2], number_argument("FOLDERS", argv[3], 1, 100), number_argument("FILES", argv[4], 1, 100),
              number_argument("BYTES", argv[5], 0, MOST_SMALL_BYTES));
  } else if (strcmp(mode, "get") == 0 && argc == 6) {
    const struct protocol *protocol = protocol_argument(argv[2]);
    uint64_t bytes = number_argument("BYTES", argv[5], 0, most_bytes);
    struct connection connection = {0};
    protocol->open(&connection, port_argument(argv[3]));
    double waited = waited_seconds();
    uint64_t started = now_ns();
    protocol->get(&connection, argv[4], bytes, 0);
    print_transfer(bytes, started, waited);
  } else if (strcmp(mode, "put") == 0 && argc == 7) {
    const struct protocol *protocol = protocol_argument(argv[2]);
    struct stat status;
    if (stat(argv[4], &status) < 0) die("%s: %s", argv[4], strerror(errno));
    struct source source = {.path = argv[4], .length = (uint64_t)status.st_size, .sha256 = argv[6]};
    struct connection connection = {0};
    protocol->open(&connection, port_argument(argv[3]));
    double waited = waited_seconds();
    uint64_t started = now_ns();
    protocol->put(&connection, argv[5], &source);
    print_transfer(source.length, started, waited);
  } else if ((strcmp(mode, "get-small") == 0 && argc == 11) || (strcmp(mode, "put-small") == 0 && argc == 10)) {
    struct work work = {
        .protocol = protocol_argument(argv[2]),
        .port = port_argument(argv[3]),
        .prefix = argv[4],
        .folders = number_argument("FOLDERS", argv[5], 1, 100),
        .files = number_argument("FILES", argv[6], 1, 100),
        .bytes = number_argument("BYTES", argv[7], 0, MOST_SMALL_BYTES),
        .put = *mode == 'p',
        .connections = (int)number_argument("CONNECTIONS", argv[8], 1, MOST_CONNECTIONS),
    };
    uint64_t duration_ms = number_argument("DURATION_MS", argv[9], 1, 3600000);
    run_small(&work, duration_ms, work.put ? 0 : number_argument("WARMUP_MS", argv[10], 0, 60000));
  } else if (strcmp(mode, "slow-readers") == 0 && argc == 8) {
    run_slow_readers(protocol_argument(argv[2]), port_argument(argv[3]), argv[4],
                     (int)number_argument("CONNECTIONS", argv[5], 1, MOST_CONNECTIONS),
                     number_argument("BYTES_PER_SECOND", argv[6], 1000, 1ull << 32),
                     number_argument("DURATION_MS", argv[7], 1, 3600000));
  } else {
    fprintf(stderr, "load: the usage is in the comment at the top of load.c\n");
    return 78;
  }
  return 0;
}

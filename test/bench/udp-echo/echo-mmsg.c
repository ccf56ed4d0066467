/*
 * The limit: a UDP echo that takes and sends up to 64 datagrams with each system call and does nothing else.
 * Usage: echo-mmsg PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH = 64, DATAGRAM_BYTES = 65536, RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024 };

static char payloads[BATCH][DATAGRAM_BYTES + 2048]; /* not a power of two apart: see native/datagram-batch.ts */
static struct sockaddr_in peers[BATCH];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

int main(int argc, char **argv) {
  if (argc != 2) return 78;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int bytes = RECEIVE_BUFFER_BYTES;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    perror("echo-mmsg");
    return 1;
  }
  for (int i = 0; i < BATCH; i++) {
    vectors[i] = (struct iovec){.iov_base = payloads[i], .iov_len = DATAGRAM_BYTES};
    messages[i].msg_hdr = (struct msghdr){
        .msg_name = &peers[i], .msg_namelen = sizeof peers[i], .msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  for (;;) {
    int received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    if (received < 0) continue;
    for (int i = 0; i < received; i++) vectors[i].iov_len = messages[i].msg_len;
    for (int sent = 0; sent < received;) {
      int taken = sendmmsg(fd, messages + sent, (unsigned)(received - sent), 0);
      sent += taken > 0 ? taken : 1;
    }
    for (int i = 0; i < received; i++) vectors[i].iov_len = DATAGRAM_BYTES;
  }
}

// relay PORT UPSTREAM
//
// A DNS relay over UDP that decides nothing, keeps nothing and writes nothing: the least that anything in this place must do. One thread waits
// in epoll; what is ready is taken with recvmmsg and passed on with sendmmsg. Queries go upstream through one connected socket, under the
// number of the slot that remembers who asked; the slots are used in turn, so that an answer that comes 65,536 queries late goes astray.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
  BATCH = 64,         // datagrams of one system call
  OCTETS = 4096,      // the longest of them
  // Below the ports that the kernel gives out: no entry that a query leaves in conntrack matches one of the workload's.
  PORT = 1053,
};

static struct {
  struct sockaddr_in client;
  uint16_t id;
} slots[65536];
static uint8_t octets[BATCH][OCTETS];
static struct sockaddr_in peers[BATCH];
static struct iovec parts[BATCH];
static struct mmsghdr datagrams[BATCH];

static int open_socket(struct in_addr address, uint16_t port) {
  int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 4 << 20;
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address};
  setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  if (s < 0 || bind(s, (void *)&own, sizeof own)) exit((perror("bind"), 1));
  return s;
}

static int receive(int from) {
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){octets[i], OCTETS};
    datagrams[i].msg_hdr = (struct msghdr){.msg_name = &peers[i], .msg_namelen = sizeof peers[i], .msg_iov = &parts[i], .msg_iovlen = 1};
  }
  int count = recvmmsg(from, datagrams, BATCH, 0, NULL);
  for (int i = 0; i < count; i++) parts[i].iov_len = datagrams[i].msg_len;
  return count;
}

static void pass_on(int to, int count) {
  for (int sent = 0, more; sent < count; sent += more)
    if ((more = sendmmsg(to, datagrams + sent, count - sent, 0)) <= 0) return;
}

// The identifier is a message's first two octets (RFC 1035 §4.1.1).
static uint16_t swap_id(uint8_t *message, uint16_t id) {
  uint16_t old;
  memcpy(&old, message, 2);
  memcpy(message, &id, 2);
  return old;
}

int main(int count, char **arguments) {
  if (count != 3) return fprintf(stderr, "relay PORT UPSTREAM\n"), 2;
  struct sockaddr_in upstream = {.sin_family = AF_INET, .sin_port = htons(53)};
  if (inet_pton(AF_INET, arguments[2], &upstream.sin_addr) != 1) return 2;
  int below = open_socket((struct in_addr){htonl(INADDR_LOOPBACK)}, atoi(arguments[1])), above = open_socket((struct in_addr){INADDR_ANY}, PORT);
  if (connect(above, (void *)&upstream, sizeof upstream)) return perror("connect"), 1;
  int poll = epoll_create1(0);
  for (int i = 0; i < 2; i++) {
    int s = i ? above : below;
    epoll_ctl(poll, EPOLL_CTL_ADD, s, &(struct epoll_event){.events = EPOLLIN, .data.fd = s});
  }
  for (uint16_t next = 0;;) {
    struct epoll_event ready[2];
    int events = epoll_wait(poll, ready, 2, -1);
    for (int e = 0; e < events; e++) {
      int from = ready[e].data.fd, received = receive(from);
      if (received <= 0) continue;
      for (int i = 0; i < received; i++) {
        if (from == below) {
          slots[next].client = peers[i];
          slots[next].id = swap_id(octets[i], next);
          datagrams[i].msg_hdr.msg_name = NULL;
          datagrams[i].msg_hdr.msg_namelen = 0;
          next++;
        } else {
          uint16_t slot;
          memcpy(&slot, octets[i], 2);
          peers[i] = slots[slot].client;
          swap_id(octets[i], slots[slot].id);
        }
      }
      pass_on(from == below ? above : below, received);
    }
  }
}

// latency SERVER QUERYFILE RATE SECONDS
//
// Asks RATE queries a second by UDP, whether or not answers come (open loop), each line of the file once; a query's latency counts from
// the moment when it was due, so that a stall is not hidden by asking later. One line: sent answered p50 p90 p99 max, in microseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum { NAMES = 200000 };
static uint8_t wire[NAMES][96];
static uint8_t size[NAMES];
static double due[65536];
static double taken[NAMES];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int compose(uint8_t *to, char *name, const char *type) {
  static const uint8_t header[12] = {0, 0, 1, 0, 0, 1};
  memcpy(to, header, 12);
  uint8_t *at = to + 12;
  for (char *label = strtok(name, "."); label; label = strtok(NULL, ".")) {
    size_t length = strlen(label);
    if (length > 63 || at + length + 8 > to + 96) exit(2);
    *at++ = length;
    memcpy(at, label, length);
    at += length;
  }
  *at++ = 0;
  *at++ = 0;
  *at++ = strcmp(type, "AAAA") ? 1 : 28;
  *at++ = 0;
  *at++ = 1;
  return at - to;
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  FILE *file = fopen(arguments[2], "r");
  if (!file) return perror(arguments[2]), 1;
  char name[300], type[16];
  int names = 0;
  while (names < NAMES && fscanf(file, "%299s %15s", name, type) == 2) {
    size[names] = compose(wire[names], name, type);
    names++;
  }
  double rate = atof(arguments[3]), seconds = atof(arguments[4]);
  long wanted = rate * seconds;
  if (wanted > names) wanted = names;
  prctl(PR_SET_TIMERSLACK, 1);
  int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), buffer = 4 << 20;
  setsockopt(s, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
  if (inet_pton(AF_INET, arguments[1], &server.sin_addr) != 1 || connect(s, (void *)&server, sizeof server)) return perror("connect"), 1;
  long sent = 0, answered = 0;
  double start = now(), end = start + wanted / rate;
  for (double t = start; answered < wanted && t < end + 2; t = now()) {
    // At most 60,000 are waited for: an identifier is never used twice at a time.
    while (sent < wanted && start + sent / rate <= t && sent - answered < 60000) {
      uint16_t id = sent;
      wire[sent][0] = id >> 8;
      wire[sent][1] = id;
      due[id] = start + sent / rate;
      send(s, wire[sent], size[sent], 0);
      sent++;
    }
    uint8_t reply[4096];
    ssize_t length;
    while ((length = recv(s, reply, sizeof reply, 0)) >= 12) {
      uint16_t id = reply[0] << 8 | reply[1];
      if (due[id] == 0) continue;
      taken[answered++] = (now() - due[id]) * 1e6;
      due[id] = 0;
    }
    // Sleeps rather than spins: the upstream has the same core.
    double next = sent < wanted ? start + sent / rate - now() : 0.01;
    if (next > 0) {
      struct timespec pause = {0, next > 0.01 ? 10000000 : next * 1e9};
      struct pollfd socket = {s, POLLIN, 0};
      ppoll(&socket, 1, &pause, NULL);
    }
  }
  if (answered == 0) return fprintf(stderr, "no answer\n"), 1;
  qsort(taken, answered, sizeof *taken, ascending);
  printf("%ld %ld %.1f %.1f %.1f %.1f\n", sent, answered, taken[answered / 2], taken[answered * 9 / 10], taken[answered * 99 / 100],
         taken[answered - 1]);
}

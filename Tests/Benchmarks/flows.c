// flows serve PORT
// flows tcp BASE COUNT PORT RATE SECONDS THREADS
// flows udp BASE COUNT PORT
//
// `serve` accepts on every address and closes what its client has closed. `tcp` opens connections to COUNT addresses from BASE on, in turn, at RATE a second in all,
// and closes each at once; it prints how many were opened, how many failed, and the seconds it took. `udp` sends one datagram from one socket to each of COUNT addresses.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint32_t base;
static long count, port, threads;
static double rate, seconds;

struct worker {
  pthread_t thread;
  long number, opened, failed;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static struct sockaddr_in target(long index) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(base + index % count)};
}

static void *work(void *argument) {
  struct worker *w = argument;
  double begun = now();
  for (long i = 0;; i++) {
    double due = begun + (i * threads + w->number) / rate, at = now();
    if (due - begun > seconds) return NULL;
    if (due > at) {
      struct timespec rest = {.tv_nsec = (due - at) * 1e9};
      nanosleep(&rest, NULL);
    }
    struct sockaddr_in a = target(i * threads + w->number);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (s >= 0 && connect(s, (void *)&a, sizeof a) == 0) w->opened++;
    else w->failed++;
    close(s);
  }
}

static int serve(void) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1, poll = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (bind(listener, (void *)&a, sizeof a) || listen(listener, 65535)) return perror("serve"), 1;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int found = epoll_wait(poll, ready, 256, -1);
    for (int i = 0; i < found; i++) {
      int s = ready[i].data.fd;
      if (s != listener) {
        close(s);
        continue;
      }
      while ((s = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        event.data.fd = s;
        epoll_ctl(poll, EPOLL_CTL_ADD, s, &event);
      }
    }
  }
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "serve")) return port = atol(argv[2]), serve();
  if (argc < 5) return 2;
  struct in_addr first;
  inet_aton(argv[2], &first);
  base = ntohl(first.s_addr), count = atol(argv[3]), port = atol(argv[4]);
  double begun = now();
  long opened = 0, failed = 0;
  if (!strcmp(argv[1], "udp")) {
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    for (long i = 0; i < count; i++) {
      struct sockaddr_in a = target(i);
      if (sendto(s, "?", 1, 0, (void *)&a, sizeof a) == 1) opened++;
      else failed++;
    }
  } else {
    rate = atof(argv[5]), seconds = atof(argv[6]), threads = atol(argv[7]);
    struct worker *workers = calloc(threads, sizeof *workers);
    for (long i = 0; i < threads; i++) {
      workers[i].number = i;
      pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (long i = 0; i < threads; i++) {
      pthread_join(workers[i].thread, NULL);
      opened += workers[i].opened, failed += workers[i].failed;
    }
  }
  printf("%ld %ld %.3f\n", opened, failed, now() - begun);
}

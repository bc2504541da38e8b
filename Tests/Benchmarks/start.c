// start UID ADDRESS PORT RESOLVER NAME PROGRAM ARGUMENT…
//
// Starts PROGRAM and asks, as UID, until a TCP connect to ADDRESS:PORT (where a server listens) is refused and a query for NAME (which
// exists) is answered NXDOMAIN. One line: PID, then microseconds from the start to the first refused connect and to the first NXDOMAIN.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static struct sockaddr_in endpoint(const char *address, int port) {
  struct sockaddr_in it = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, address, &it.sin_addr) != 1) exit(2);
  return it;
}

static int connect_is_refused(struct sockaddr_in to) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  int refused = connect(s, (void *)&to, sizeof to) && errno == ECONNREFUSED;
  close(s);
  return refused;
}

static int name_is_denied(struct sockaddr_in to, const uint8_t *query, size_t length) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct timeval patience = {.tv_usec = 2000};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  uint8_t reply[512] = {0};
  int denied = !connect(s, (void *)&to, sizeof to) && send(s, query, length, 0) > 0 && recv(s, reply, sizeof reply, 0) >= 12 && (reply[3] & 15) == 3;
  close(s);
  return denied;
}

int main(int count, char **arguments) {
  if (count < 7) return 2;
  struct sockaddr_in server = endpoint(arguments[2], atoi(arguments[3])), resolver = endpoint(arguments[4], 53);
  uint8_t query[300] = {7, 7, 1, 0, 0, 1};
  size_t length = 12;
  for (char *label = strtok(arguments[5], "."); label; label = strtok(NULL, ".")) {
    query[length++] = strlen(label);
    memcpy(query + length, label, strlen(label));
    length += strlen(label);
  }
  query[length + 2] = query[length + 4] = 1;
  length += 5;
  if (connect_is_refused(server) || name_is_denied(resolver, query, length)) return fprintf(stderr, "already so before the start\n"), 1;
  double start = now();
  pid_t child = fork();
  if (child == 0) {
    dup2(2, 1);  // The line is ours alone.
    execvp(arguments[6], arguments + 6);
    _exit(127);
  }
  if (setresgid(atoi(arguments[1]), atoi(arguments[1]), atoi(arguments[1])) || setresuid(atoi(arguments[1]), atoi(arguments[1]), atoi(arguments[1])))
    return perror("setresuid"), 1;
  double refused = 0, denied = 0;
  while (!(refused && denied)) {
    if (!refused && connect_is_refused(server)) refused = now();
    if (refused && name_is_denied(resolver, query, length)) denied = now();
    if (now() - start > 10) return printf("%d 0 0\n", child), 1;
    struct timespec pause = {0, 100000};
    if (!refused) nanosleep(&pause, NULL);
  }
  printf("%d %.0f %.0f\n", child, (refused - start) * 1e6, (denied - start) * 1e6);
}

// commit COUNT
//
// Adds COUNT leases to `table inet sallyport`, each by a transaction of its own that puts one element into lease4 and one into grants and
// waits for the kernel's acknowledgement, as the sidecar does for an answer that comes alone. One line: p50 p99, in microseconds.
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint32_t sequence = 1;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void add(struct mnl_nlmsg_batch *batch, const char *set, const void *key, const uint32_t *mark, int acknowledged) {
  struct nftnl_set *elements = nftnl_set_alloc();
  nftnl_set_set_str(elements, NFTNL_SET_TABLE, "sallyport");
  nftnl_set_set_str(elements, NFTNL_SET_NAME, set);
  struct nftnl_set_elem *element = nftnl_set_elem_alloc();
  nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, 4);
  if (mark) {
    nftnl_set_elem_set(element, NFTNL_SET_ELEM_DATA, mark, 4);
    nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT, 120000);
  }
  nftnl_set_elem_add(elements, element);
  struct nlmsghdr *header = nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch), NFT_MSG_NEWSETELEM, NFPROTO_INET,
                                                  NLM_F_CREATE | (acknowledged ? NLM_F_ACK : 0), sequence++);
  nftnl_set_elems_nlmsg_build_payload(header, elements);
  mnl_nlmsg_batch_next(batch);
  nftnl_set_free(elements);
}

int main(int count, char **arguments) {
  int leases = count > 1 ? atoi(arguments[1]) : 2000;
  double *taken = calloc(leases, sizeof *taken);
  struct mnl_socket *socket = mnl_socket_open(NETLINK_NETFILTER);
  if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) return perror("netlink"), 1;
  static char buffer[16384], answer[16384];
  for (int i = 0; i < leases; i++) {
    uint32_t key = htonl(0x2f000000u + i), mark = 0x40000000u + i;
    double begun = now();
    struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(buffer, sizeof buffer / 2);
    nftnl_batch_begin(mnl_nlmsg_batch_current(batch), sequence++);
    mnl_nlmsg_batch_next(batch);
    add(batch, "lease4", &key, &mark, 0);
    add(batch, "grants", &mark, NULL, 1);
    nftnl_batch_end(mnl_nlmsg_batch_current(batch), sequence++);
    mnl_nlmsg_batch_next(batch);
    ssize_t length = mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch));
    mnl_nlmsg_batch_stop(batch);
    if (length > 0) length = mnl_socket_recvfrom(socket, answer, sizeof answer);
    struct nlmsghdr *header = (void *)answer;
    if (length < (ssize_t)sizeof *header || header->nlmsg_type != NLMSG_ERROR || ((struct nlmsgerr *)mnl_nlmsg_get_payload(header))->error)
      return fprintf(stderr, "refused at %d\n", i), 1;
    taken[i] = now() - begun;
  }
  qsort(taken, leases, sizeof *taken, ascending);
  printf("%.1f %.1f\n", taken[leases / 2], taken[leases * 99 / 100]);
}

// Order matters: the kernel's headers first, so that libmnl and libnftnl see one definition of every type. <linux/netfilter.h> is left
// out: it brings <linux/in.h>, whose structures Swift then sees twice, there and in Glibc.
#include <errno.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/batch.h>
#include <libnftnl/table.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/expr.h>
#include <libnftnl/udata.h>

// Receives one datagram that the kernel itself sent (port 0): what another process addressed to this socket is thrown away.
// With MSG_TRUNC the result is the datagram's whole length, also when it did not fit. Here for the cast of `sockaddr_nl`.
static inline ssize_t cnetlink_receive(int descriptor, void *buffer, size_t size, int flags) {
  struct sockaddr_nl sender;
  ssize_t length;
  do {
    socklen_t senderSize = sizeof sender;
    sender.nl_pid = 0;
    length = recvfrom(descriptor, buffer, size, flags | MSG_TRUNC, (struct sockaddr *)&sender, &senderSize);
  } while (length >= 0 && sender.nl_pid != 0);
  return length;
}

// Drops every datagram whose first message carries this port (`nlmsg_pid`, octets 12 to 15 of `struct nlmsghdr`, host order). Here for the macros of classic BPF.
static inline int cnetlink_ignore(int descriptor, unsigned int port) {
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12),  // read as big endian
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(port), 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0),
    BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  };
  struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
  return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

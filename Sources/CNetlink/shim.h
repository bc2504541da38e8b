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

// Of conntrack's events keeps NEW, DESTROY, and of the changes those that end a TCP flow (TIME_WAIT, CLOSE): the others, four or five a flow, are dropped before they take
// room in the receive buffer. Messages that are no events pass. Here for the macros of classic BPF; SKF_AD_NLATTR looks for an attribute from an offset on.
static inline int cnetlink_watch_ends(int descriptor) {
  enum { NEW = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW };
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),  // nlmsg_type, read as big endian
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(NEW), 0, 17),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),  // nlmsg_flags
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NLM_F_CREATE), 15, 0),
    BPF_STMT(BPF_LD | BPF_IMM, sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg)),
    BPF_STMT(BPF_LDX | BPF_IMM, CTA_PROTOINFO),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_NLATTR),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 10, 0),
    BPF_STMT(BPF_LDX | BPF_IMM, CTA_PROTOINFO_TCP),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_NLATTR_NEST),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 7, 0),
    BPF_STMT(BPF_LDX | BPF_IMM, CTA_PROTOINFO_TCP_STATE),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_NLATTR_NEST),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 0),
    BPF_STMT(BPF_MISC | BPF_TAX, 0),
    BPF_STMT(BPF_LD | BPF_B | BPF_IND, sizeof(struct nlattr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TCP_CONNTRACK_TIME_WAIT, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TCP_CONNTRACK_CLOSE, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, 0),
    BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  };
  struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
  return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

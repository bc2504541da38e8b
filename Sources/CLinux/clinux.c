#define _GNU_SOURCE
#include "clinux.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <linux/capability.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Addresses

static uint64_t big_endian(const uint8_t *octets) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value = value << 8 | octets[i];
  return value;
}

static void put_big_endian(uint8_t *octets, uint64_t value) {
  for (int i = 7; i >= 0; i--, value >>= 8) octets[i] = (uint8_t)value;
}

static socklen_t to_sockaddr(const struct clinux_endpoint *endpoint, struct sockaddr_storage *storage) {
  if (endpoint->family == 4) {
    struct sockaddr_in *in = (struct sockaddr_in *)storage;
    memset(in, 0, sizeof *in);
    in->sin_family = AF_INET;
    in->sin_port = htons(endpoint->port);
    in->sin_addr.s_addr = htonl((uint32_t)endpoint->low);
    return sizeof *in;
  }
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;
  memset(in6, 0, sizeof *in6);
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons(endpoint->port);
  put_big_endian(in6->sin6_addr.s6_addr, endpoint->high);
  put_big_endian(in6->sin6_addr.s6_addr + 8, endpoint->low);
  return sizeof *in6;
}

static void from_sockaddr(const struct sockaddr_storage *storage, struct clinux_endpoint *endpoint) {
  memset(endpoint, 0, sizeof *endpoint);
  if (storage->ss_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)storage;
    endpoint->family = 4;
    endpoint->port = ntohs(in->sin_port);
    endpoint->low = ntohl(in->sin_addr.s_addr);
  } else if (storage->ss_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)storage;
    endpoint->family = 6;
    endpoint->port = ntohs(in6->sin6_port);
    endpoint->high = big_endian(in6->sin6_addr.s6_addr);
    endpoint->low = big_endian(in6->sin6_addr.s6_addr + 8);
  }
}

// Descriptors of events

static struct epoll_event interest_in(uint64_t token, unsigned interest) {
  struct epoll_event event = {.data.u64 = token};
  // The peer's end is news to readers only: level-triggered, it would come again with every wait of one who only writes.
  if (interest & CLINUX_READ) event.events |= EPOLLIN | EPOLLRDHUP;
  if (interest & CLINUX_WRITE) event.events |= EPOLLOUT;
  return event;
}

int clinux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int clinux_epoll_add(int poll, int descriptor, uint64_t token, unsigned interest) {
  struct epoll_event event = interest_in(token, interest);
  return epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event);
}

int clinux_epoll_modify(int poll, int descriptor, uint64_t token, unsigned interest) {
  struct epoll_event event = interest_in(token, interest);
  return epoll_ctl(poll, EPOLL_CTL_MOD, descriptor, &event);
}

int clinux_epoll_remove(int poll, int descriptor) { return epoll_ctl(poll, EPOLL_CTL_DEL, descriptor, NULL); }

int clinux_epoll_wait(int poll, struct clinux_ready *ready, int capacity, int64_t nanoseconds) {
  struct epoll_event events[256];
  if (capacity > 256) capacity = 256;
  struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  int count = epoll_pwait2(poll, events, capacity, nanoseconds < 0 ? NULL : &limit, NULL);
  if (count < 0 && (errno == ENOSYS || errno == EPERM)) {
    int64_t milliseconds = (nanoseconds + 999999) / 1000000;
    if (milliseconds > INT32_MAX) milliseconds = INT32_MAX;
    count = epoll_wait(poll, events, capacity, nanoseconds < 0 ? -1 : (int)milliseconds);
  }
  for (int i = 0; i < count; i++) {
    uint32_t got = events[i].events;
    ready[i].token = events[i].data.u64;
    ready[i].events = (got & EPOLLIN ? CLINUX_READ : 0) | (got & EPOLLOUT ? CLINUX_WRITE : 0) |
                      (got & (EPOLLHUP | EPOLLRDHUP | EPOLLERR) ? CLINUX_HANGUP : 0);
  }
  return count;
}

int clinux_eventfd(int blocking) { return eventfd(0, EFD_CLOEXEC | (blocking ? 0 : EFD_NONBLOCK)); }

int clinux_signalfd(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  int failure = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (failure != 0) {
    errno = failure;
    return -1;
  }
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int clinux_signalfd_read(int descriptor) {
  struct signalfd_siginfo info;
  return read(descriptor, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : -1;
}

int clinux_ignore_pipe_signal(void) { return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0; }

// Time of the processor

int clinux_take_slices(uint64_t nanoseconds) {
  // struct sched_attr (linux/sched/types.h, its first version), which glibc has only since 2.41.
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes = {.size = 48};
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return -1;
  attributes.runtime = nanoseconds;
  return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// Memory

int clinux_allocate_by(int mapped) { return mallopt(M_MMAP_THRESHOLD, mapped) && mallopt(M_ARENA_MAX, 1) ? 0 : -1; }

static int leave_pages(struct dl_phdr_info *object, size_t size, void *result) {
  (void)size;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || part->p_flags & PF_W) continue;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1, start = object->dlpi_addr + part->p_vaddr;
    uintptr_t first = start & ~page, end = (start + part->p_filesz + page) & ~page;
    if (madvise((void *)first, end - first, MADV_DONTNEED) != 0) *(int *)result = -1;
  }
  return 0;
}

int clinux_leave_program_pages(void) {
  int result = 0;
  dl_iterate_phdr(leave_pages, &result);
  return result;
}

void clinux_trim_heap(void) { malloc_trim(0); }

// Files

int clinux_temporary_file(const char *folder) { return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }

int clinux_terminal_size(int descriptor) {
  struct winsize size;
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) return -1;
  return size.ws_col == 0 || size.ws_row == 0 || size.ws_row > 0x7fff ? 0 : size.ws_row << 16 | size.ws_col;
}

// Sockets

int clinux_socket(int family, int type, int blocking) {
  return socket(family == 4 ? AF_INET : AF_INET6,
                (type == CLINUX_STREAM ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
}

int clinux_bind(int descriptor, const struct clinux_endpoint *endpoint) {
  struct sockaddr_storage storage;
  socklen_t length = to_sockaddr(endpoint, &storage);
  return bind(descriptor, (struct sockaddr *)&storage, length);
}

int clinux_connect(int descriptor, const struct clinux_endpoint *endpoint) {
  struct sockaddr_storage storage;
  socklen_t length = to_sockaddr(endpoint, &storage);
  return connect(descriptor, (struct sockaddr *)&storage, length);
}

int clinux_accept(int descriptor, struct clinux_endpoint *peer, int blocking) {
  struct sockaddr_storage storage = {0};
  socklen_t length = sizeof storage;
  int accepted =
      accept4(descriptor, (struct sockaddr *)&storage, &length, SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK));
  if (accepted >= 0) from_sockaddr(&storage, peer);
  return accepted;
}

int clinux_local(int descriptor, struct clinux_endpoint *endpoint) {
  struct sockaddr_storage storage = {0};
  socklen_t length = sizeof storage;
  int result = getsockname(descriptor, (struct sockaddr *)&storage, &length);
  if (result == 0) from_sockaddr(&storage, endpoint);
  return result;
}

int clinux_peer(int descriptor, struct clinux_endpoint *endpoint) {
  struct sockaddr_storage storage = {0};
  socklen_t length = sizeof storage;
  int result = getpeername(descriptor, (struct sockaddr *)&storage, &length);
  if (result == 0) from_sockaddr(&storage, endpoint);
  return result;
}

static int set_option(int descriptor, int level, int option, int value) {
  return setsockopt(descriptor, level, option, &value, sizeof value);
}

int clinux_set_mark(int descriptor, uint32_t mark) {
  return setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
}
int clinux_set_only_ipv6(int descriptor) { return set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1); }
int clinux_set_reuse_address(int descriptor) { return set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1); }
int clinux_set_no_delay(int descriptor) { return set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1); }

int clinux_set_receive_buffer(int descriptor, int octets) {
  if (set_option(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, octets) == 0) return 0;
  return set_option(descriptor, SOL_SOCKET, SO_RCVBUF, octets);
}

int clinux_set_send_buffer(int descriptor, int octets) {
  if (set_option(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, octets) == 0) return 0;
  return set_option(descriptor, SOL_SOCKET, SO_SNDBUF, octets);
}

int clinux_socket_error(int descriptor) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &length) == 0 ? value : -1;
}

long clinux_send(int descriptor, const void *octets, size_t count) {
  return send(descriptor, octets, count, MSG_NOSIGNAL);
}

long clinux_receive(int descriptor, void *octets, size_t count) { return recv(descriptor, octets, count, 0); }

int clinux_receive_batch(int descriptor, uint8_t *memory, uint32_t each, struct clinux_datagram *datagrams,
                         int capacity) {
  struct mmsghdr messages[CLINUX_BATCH];
  struct iovec vectors[CLINUX_BATCH];
  struct sockaddr_storage peers[CLINUX_BATCH];
  if (capacity > CLINUX_BATCH) capacity = CLINUX_BATCH;
  memset(messages, 0, sizeof messages[0] * (size_t)capacity);
  for (int i = 0; i < capacity; i++) {
    vectors[i] = (struct iovec){.iov_base = memory + (size_t)i * each, .iov_len = each};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = &peers[i];
    messages[i].msg_hdr.msg_namelen = sizeof peers[i];
  }
  int count = recvmmsg(descriptor, messages, (unsigned)capacity, MSG_DONTWAIT, NULL);
  for (int i = 0; i < count; i++) {
    from_sockaddr(&peers[i], &datagrams[i].peer);
    datagrams[i].offset = (uint32_t)i * each;
    datagrams[i].length = messages[i].msg_len;
    datagrams[i].truncated = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
  }
  return count;
}

int clinux_send_batch(int descriptor, uint8_t *memory, struct clinux_datagram *datagrams, const uint8_t *runs, int count) {
  struct mmsghdr messages[CLINUX_BATCH];
  struct iovec vectors[CLINUX_BATCH];
  struct sockaddr_storage peers[CLINUX_BATCH];
  union {
    struct cmsghdr header;
    uint8_t octets[CMSG_SPACE(sizeof(uint16_t))];
  } controls[CLINUX_BATCH];
  if (count > CLINUX_BATCH) count = CLINUX_BATCH;
  memset(messages, 0, sizeof messages[0] * (size_t)count);
  int next = 0;
  for (int i = 0; i < count; i++) {
    struct msghdr *message = &messages[i].msg_hdr;
    const struct clinux_datagram *first = &datagrams[next];
    message->msg_iov = &vectors[next];
    message->msg_iovlen = runs[i];
    for (int j = 0; j < runs[i] && next < CLINUX_BATCH; j++, next++)
      vectors[next] = (struct iovec){.iov_base = memory + datagrams[next].offset, .iov_len = datagrams[next].length};
    if (first->peer.family != 0) {
      message->msg_name = &peers[i];
      message->msg_namelen = to_sockaddr(&first->peer, &peers[i]);
    }
    if (runs[i] < 2) continue;
    uint16_t size = (uint16_t)first->length;
    controls[i].header = (struct cmsghdr){.cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(sizeof size)};
    memcpy(CMSG_DATA(&controls[i].header), &size, sizeof size);
    message->msg_control = &controls[i];
    message->msg_controllen = sizeof controls[i].octets;
  }
  return sendmmsg(descriptor, messages, (unsigned)count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Processes

int clinux_capabilities_get(struct clinux_capabilities *capabilities) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) != 0) return -1;
  capabilities->permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
  capabilities->effective = (uint64_t)data[1].effective << 32 | data[0].effective;
  capabilities->inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
  return 0;
}

int clinux_capabilities_set(const struct clinux_capabilities *capabilities) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[2] = {
      {(uint32_t)capabilities->effective, (uint32_t)capabilities->permitted, (uint32_t)capabilities->inheritable},
      {(uint32_t)(capabilities->effective >> 32), (uint32_t)(capabilities->permitted >> 32),
       (uint32_t)(capabilities->inheritable >> 32)},
  };
  return (int)syscall(SYS_capset, &header, data);
}

int clinux_keep_capabilities(int keep) { return prctl(PR_SET_KEEPCAPS, keep, 0, 0, 0); }
int clinux_clear_ambient(void) { return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); }
int clinux_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }
int clinux_has_no_new_privileges(void) { return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); }

int clinux_set_ids(uint32_t user, uint32_t group) {
  if (setresgid(group, group, group) != 0) return -1;
  return setresuid(user, user, user);
}

int clinux_set_file_ids(uint32_t user, uint32_t group) {
  // These two return the former value whatever happens: asking for an impossible one tells what is in force (setfsuid(2)).
  setfsgid(group);
  setfsuid(user);
  if ((uint32_t)setfsuid(-1) == user && (uint32_t)setfsgid(-1) == group) return 0;
  errno = EPERM;
  return -1;
}

int clinux_get_ids(uint32_t users[3], uint32_t groups[3]) {
  if (getresuid(&users[0], &users[1], &users[2]) != 0) return -1;
  return getresgid(&groups[0], &groups[1], &groups[2]);
}

int clinux_no_groups(void) { return setgroups(0, NULL); }
int clinux_group_count(void) { return getgroups(0, NULL); }

int clinux_name_thread(const char *name) {
  int failure = pthread_setname_np(pthread_self(), name);
  if (failure != 0) errno = failure;
  return failure == 0 ? 0 : -1;
}

char *const *clinux_environment(void) { return environ; }

int64_t clinux_random(void *octets, size_t count) { return getrandom(octets, count, 0); }

// Checksums

#if defined(__x86_64__)
int clinux_has_crc32c(void) { return __builtin_cpu_supports("sse4.2") != 0; }

__attribute__((target("sse4.2")))
uint32_t clinux_crc32c(const uint8_t *octets, size_t count, uint32_t seed) {
  uint64_t value = ~seed;
  for (; count >= 8; octets += 8, count -= 8) {
    uint64_t eight;
    memcpy(&eight, octets, sizeof eight);
    value = __builtin_ia32_crc32di(value, eight);
  }
  uint32_t rest = (uint32_t)value;
  for (; count > 0; octets++, count--) rest = __builtin_ia32_crc32qi(rest, *octets);
  return ~rest;
}
#elif defined(__aarch64__)
int clinux_has_crc32c(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

__attribute__((target("crc")))
uint32_t clinux_crc32c(const uint8_t *octets, size_t count, uint32_t seed) {
  uint32_t value = ~seed;
  for (; count >= 8; octets += 8, count -= 8) {
    uint64_t eight;
    memcpy(&eight, octets, sizeof eight);
    value = __builtin_arm_crc32cd(value, eight);
  }
  for (; count > 0; octets++, count--) value = __builtin_arm_crc32cb(value, *octets);
  return ~value;
}
#else
int clinux_has_crc32c(void) { return 0; }
uint32_t clinux_crc32c(const uint8_t *octets, size_t count, uint32_t seed) {
  (void)octets;
  (void)count;
  return seed;
}
#endif

// Namespaces

int clinux_unshare_network(void) { return unshare(CLONE_NEWNET); }
int clinux_enter_network(int descriptor) { return setns(descriptor, CLONE_NEWNET); }

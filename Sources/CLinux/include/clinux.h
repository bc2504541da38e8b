// What SwiftGlibc's module map leaves out (epoll, eventfd, signalfd) and what Swift cannot import (casts, variadics, macros with
// arguments, structures that exist only under _GNU_SOURCE). No logic lives here: each function is one system call and the copying
// around it, and returns what the call returns, -1 with errno set on failure. `_GNU_SOURCE` is defined only in the .c file: in a header
// that Swift imports it changes glibc's types.
#ifndef CLINUX_H
#define CLINUX_H
#include <stddef.h>
#include <stdint.h>

// An endpoint without sockaddr's casts. `family` is 4, 6, or 0 for none; `high` is zero and `low` holds 32 bits for IPv4; host order.
struct clinux_endpoint {
  uint64_t high;
  uint64_t low;
  uint16_t port;
  uint8_t family;
};

// One datagram of a batch: `length` octets at `offset` of the batch's memory.
struct clinux_datagram {
  struct clinux_endpoint peer;
  uint32_t offset;
  uint32_t length;
  uint32_t truncated;
};

// One ready descriptor, epoll_event without its packing and union.
struct clinux_ready {
  uint64_t token;
  uint32_t events;
};

enum { CLINUX_READ = 1, CLINUX_WRITE = 2, CLINUX_HANGUP = 4 };
enum { CLINUX_BATCH = 64 };

// Descriptors of events
int clinux_epoll_create(void);
int clinux_epoll_add(int poll, int descriptor, uint64_t token, unsigned interest);
int clinux_epoll_modify(int poll, int descriptor, uint64_t token, unsigned interest);
int clinux_epoll_remove(int poll, int descriptor);
// `nanoseconds` below zero waits without end. Falls back to milliseconds, rounded up, where a sandbox refuses epoll_pwait2.
int clinux_epoll_wait(int poll, struct clinux_ready *ready, int capacity, int64_t nanoseconds);
int clinux_eventfd(int blocking);
int clinux_signalfd(const int *signals, int count);
// The signal's number, or -1.
int clinux_signalfd_read(int descriptor);
int clinux_ignore_pipe_signal(void);

// Time of the processor
// sched_setattr of the calling thread: a turn of this length; policy and niceness stay.
int clinux_take_slices(uint64_t nanoseconds);

// Memory
// mallopt: allocations of at least `mapped` octets get mappings of their own, whatever came before, and all threads share one arena.
int clinux_allocate_by(int mapped);
// madvise MADV_DONTNEED over the segments of program and libraries that are never written: their pages leave the process and come
// back from the page cache when they are touched.
int clinux_leave_program_pages(void);
void clinux_trim_heap(void);

// Files
int clinux_temporary_file(const char *folder);
// `rows << 16 | columns` of a terminal; 0 or less when it does not say.
int clinux_terminal_size(int descriptor);

// Sockets; `type` is CLINUX_DATAGRAM or CLINUX_STREAM
enum { CLINUX_DATAGRAM = 1, CLINUX_STREAM = 2 };
int clinux_socket(int family, int type, int blocking);
int clinux_bind(int descriptor, const struct clinux_endpoint *endpoint);
int clinux_connect(int descriptor, const struct clinux_endpoint *endpoint);
int clinux_accept(int descriptor, struct clinux_endpoint *peer, int blocking);
int clinux_local(int descriptor, struct clinux_endpoint *endpoint);
int clinux_peer(int descriptor, struct clinux_endpoint *endpoint);
int clinux_set_mark(int descriptor, uint32_t mark);
int clinux_set_only_ipv6(int descriptor);
int clinux_set_reuse_address(int descriptor);
int clinux_set_no_delay(int descriptor);
int clinux_set_receive_buffer(int descriptor, int octets);
int clinux_set_send_buffer(int descriptor, int octets);
int clinux_socket_error(int descriptor);
long clinux_send(int descriptor, const void *octets, size_t count);
long clinux_receive(int descriptor, void *octets, size_t count);
// At most CLINUX_BATCH datagrams of at most `each` octets, the i-th at i * each.
int clinux_receive_batch(int descriptor, uint8_t *memory, uint32_t each, struct clinux_datagram *datagrams, int capacity);
// `count` messages, of which the i-th is the next `runs[i]` of the datagrams: all of one peer and, the last perhaps shorter, of one length.
// A message of several leaves in one piece that the kernel cuts (UDP_SEGMENT, linux/udp.h). At most CLINUX_BATCH messages and datagrams.
int clinux_send_batch(int descriptor, uint8_t *memory, struct clinux_datagram *datagrams, const uint8_t *runs, int count);

// Processes
struct clinux_capabilities {
  uint64_t permitted;
  uint64_t effective;
  uint64_t inheritable;
};
int clinux_capabilities_get(struct clinux_capabilities *capabilities);
int clinux_capabilities_set(const struct clinux_capabilities *capabilities);
int clinux_keep_capabilities(int keep);
int clinux_clear_ambient(void);
int clinux_no_new_privileges(void);
int clinux_has_no_new_privileges(void);
int clinux_set_ids(uint32_t user, uint32_t group);
int clinux_set_file_ids(uint32_t user, uint32_t group);
int clinux_get_ids(uint32_t users[3], uint32_t groups[3]);
int clinux_no_groups(void);
int clinux_group_count(void);
int clinux_name_thread(const char *name);
char *const *clinux_environment(void);
int64_t clinux_random(void *octets, size_t count);

// Checksums
// Whether the processor has an instruction for CRC-32C; without it `clinux_crc32c` must not be called.
int clinux_has_crc32c(void);
// CRC-32C (RFC 3720 appendix B.4), continued from that of the octets before (0 for none). No system call, but an instruction that
// Swift has no word for.
uint32_t clinux_crc32c(const uint8_t *octets, size_t count, uint32_t seed);

// Namespaces, for tests. Only the calling thread moves.
int clinux_unshare_network(void);
int clinux_enter_network(int descriptor);
#endif

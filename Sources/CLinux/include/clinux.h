// What SwiftGlibc's module map leaves out (epoll, eventfd, signalfd) and what Swift cannot import (casts, variadics, CMSG_*).
// No logic lives here. `_GNU_SOURCE` is defined only in the .c file: in a header that Swift imports it changes glibc's types.
#ifndef CLINUX_H
#define CLINUX_H
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#endif

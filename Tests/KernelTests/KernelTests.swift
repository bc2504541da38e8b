import Glibc
import Testing

/// Tests that load real rules into the running kernel, each in network namespaces that it makes. One at a time: the machine is one.
@Suite(.serialized, .enabled(if: getuid() == 0, "network namespaces need root"))
struct KernelTests {}

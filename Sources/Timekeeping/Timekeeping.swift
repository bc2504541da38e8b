// Timekeeping: time as a value. Nothing here reads a clock; every machine of the core is told the time.
//
//   TimeSpan       a length of time, nanoseconds
//   Instant        a point on the monotonic clock that counts through suspend (CLOCK_BOOTTIME); deadlines are made of these
//   WallTime       microseconds since 1970 in UTC; stamps records, and is compared only with times that people wrote
//   Moment         both, as one event carries them
//   DeadlineQueue  keys by deadline, ties in order of insertion
//
// Deadlines never use wall time: it jumps (fault F15), and a clock set back would freeze every retry.

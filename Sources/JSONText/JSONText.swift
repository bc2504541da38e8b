// JSONText: RFC 8259 for a process with privileges, read strictly and written fast.
//
// Constraints: what is read comes from outside, so nothing of it may crash, recurse or grow without a limit; two readers that
// disagree about a text are a way around a policy, so whatever RFC 8259 leaves to taste is refused: repeated keys, a byte order
// mark, other encodings than UTF-8, lone surrogates, text after the value. What is written is an audit record, a million of them.
//
//   JSONReader   pulls tokens from octets, with the path of each; no tree, so a policy of a million rules costs its text
//   JSONValue    a tree for small things, members in order, numbers as text
//   JSONWriter   appends to an array of octets that the caller reuses
//   JSONError    what is wrong, where: offset, line and column, path
//   Base64       octets as text (RFC 4648), both alphabets, read as strictly
//
// Failures: reading ends at the first fault, since nothing after it can be trusted. Writing cannot fail: octets that are no
// UTF-8 become U+FFFD, and nesting is the caller's to get right.

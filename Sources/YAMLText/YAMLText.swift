// YAMLText: the part of YAML 1.2 that Kubernetes manifests are written in, to JSON values and back.
//
//   YAMLDocument   a stream of documents, each with the line it begins on
//   YAMLParser     block mappings and sequences, by indentation
//   YAMLFlow       [ ], { } and quoted texts, on one line or several
//   YAMLBlockText  texts behind | and >
//   YAMLScalar     what a plain text is: null, a boolean, a number, a string
//   YAMLWriter     JSON values as block style
//
// Anchors, aliases, tags, merge keys, complex keys and directives are refused: no manifest needs them, and an alias lets a few octets
// stand for gigabytes. A plain text that YAML 1.1 and 1.2 read differently (`yes`, `1_000`, `.inf`) is refused with the advice to
// quote it; only octal numbers (`0400`) are read as Kubernetes reads them, since every second manifest has one. Every error names line and column.

// Package protocol is the shared vocabulary of Tidegate: the frames on the
// wire, the entries of the log, ops, verdicts, error and close codes, and the
// limits that bound them.
//
// It holds shapes and their encoding, and no behaviour: what an op means is
// package merge's business, when a commit is appended is package space's, when
// it is delivered is package session's. SPEC.md beside this file is the same
// vocabulary for people and for other languages; a test decodes its examples.
//
// # Bytes
//
// Everything stored or sent begins with a format byte (see [Format]): a reader
// that meets a version or a must-understand bit it does not know stops with
// [CodeUpgrade] and never skips. Behind the format byte stand msgpack arrays,
// written in their shortest form. A message from a peer is scanned (see [Scan])
// before it is decoded, so that what decoding can allocate is proportional to
// the bytes that were sent.
//
// # Concurrency
//
// All types are plain data. Nothing in this package starts a goroutine, reads a
// clock or draws a random number; functions that take a slice to append to
// never keep it.
package protocol

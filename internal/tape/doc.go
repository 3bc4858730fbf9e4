// Package tape writes down what went into a client's core and what came out of
// it, as vectors that another language can run: one vector for each life of a
// core, from its making to its crash.
//
// It knows no client, so that the client's own tests can use it: what comes out
// is taken as it is, structures become objects. client/testdata/vectors/README.md
// describes the format.
package tape

// Package cluster carries what gateways tell one another: commits that are
// durable already, presence, announcements, mutations handed over. It knows
// subjects and bytes, and nothing of what they mean.
//
// A [Bus] loses, repeats and reorders. Nothing about correctness depends on it:
// whoever misses a message finds out by the next one, by an announcement, or by
// polling the store. It makes convergence quick and cheap, no more.
//
// There are three:
//
//   - [Exchange] joins gateways within one process;
//   - [Embed] runs a NATS server inside the gateway, without a port for clients,
//     whose routes lead to the servers inside the other gateways;
//   - [Dial] uses NATS servers that run elsewhere.
//
// All of NATS that is used is its core: at most once, nothing stored. Package
// clustertest holds the suite that all three pass.
//
// # Who may join
//
// Whoever is on the bus can invent commits and presence: it must be closed to
// strangers. The servers that gateways embed ask for a shared secret, and for a
// certificate if there is an authority to check it against; without a secret they
// listen on this machine alone. A secret on a route without TLS can be read by
// whoever can read the wire. Servers elsewhere have accounts and credentials of
// their own.
package cluster

// Package gateway moves bytes: it is the HTTP and WebSocket server around the
// pure cores. Package session decides what a connection is told and when,
// package space decides order, package access who may do what; this package owns
// the goroutines, sockets, timers, limits and metrics, and decides nothing that
// a test would have to prove about data.
//
// # Who owns what
//
// A [Server] is safe for concurrent use. Each WebSocket connection has two
// goroutines:
//
//	reader  reads one message at a time from the socket and offers it to the
//	        owner; while the owner does not take it, nothing more is read, and TCP
//	        makes the peer wait
//	owner   owns the session.Session: steps it with what comes (messages, the
//	        inbox, the timer), carries out what it is ready for, and is the only
//	        one that writes data messages to the socket
//
// What other goroutines have to say to a connection (spaces, reads of stores,
// token verification, other devices' presence) they put into its inbox, which
// takes it without ever waiting: it is bounded because a session asks for a
// bounded number of things, heads and presence replace their predecessors, and
// verdicts are bounded by the push window.
//
// A space therefore never waits for a socket, and a socket that does not move
// costs one blocked goroutine, one message, and a position.
//
// # Ending
//
// [Server.Shutdown] refuses new connections, tells the existing ones to go away
// and to come back after a spread delay, waits for the verdicts of what was
// taken, and closes the spaces, which resolves and checkpoints what is in
// flight. The store is its opener's to close, afterwards.
package gateway

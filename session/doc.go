// Package session is one device's connection as the server sees it: a state
// machine that decides what the peer may send, what it gets, and when.
//
// # Contract
//
// A Session is pure. It starts no goroutine and touches no channel, clock,
// random source, context, socket or logger; the same inputs give the same
// outputs. Its owner, the shell, feeds it with [Session.Step], one input at a
// time, and after each step does what [Session.Ready] returns, in the order that
// the fields of [Ready] state. A Session is owned by one goroutine; two sessions
// share nothing.
//
//	socket ─ Message, Written, Gone ─▶ ┌─────────┐ ─ Write, Pause, Close ─▶ socket
//	access ─ Authenticated, Refused ─▶ │ Session │ ─ Authenticate ────────▶ access
//	spaces ─ Attached, Head, Chunk, ─▶ │         │ ─ Attach, Push, Read, ─▶ spaces
//	         Verdicts, …               └─────────┘   Detach, …
//	timer  ─ Tick ───────────────────▶               Wake ───────────────▶ timer
//
// # No data queue
//
// A session owns positions, not data. When the socket can take bytes and the
// peer's window is open it asks the space for what lies behind a position, and
// hands on what it gets; if that does not fit the window any more it forgets it
// and reads again later. What it does hold is bounded whatever the peer does:
// one message being written, one chunk for each read in flight (a second read
// starts only if the first is slow, and there are four at most), verdicts of at
// most a push window, a bounded number of fetched values and presences, and
// answers to the peer's own frames, for which the peer is paused and finally
// closed.
//
// # Lanes
//
// What is written next is chosen anew for every message: control frames, then
// verdicts, then deltas (by the subscription's priority, in turn within one),
// then fetched values and snapshots, then presence. Lower lanes wait as long as
// a higher one has something; within a subscription commits never overtake its
// snapshot.
//
// # Windows
//
// Downwards, the bytes of delivery messages sent and not yet acknowledged never
// exceed the client's window; a delivery message is one that holds an In frame,
// and counts with all its bytes. A single message longer than the window is sent
// when nothing is outstanding, so that no window is too small to make progress; a
// window of 0 pauses deliveries altogether. Upwards, the bytes of mutation
// bodies pushed and not yet answered never exceed Limits.PushWindowBytes, nor
// their number Limits.PushWindowMutations: who ignores that is out of order. An
// answer counts as given when it is handed to the socket, so a peer that does not
// read its verdicts cannot make more of them wait. Under one handle answers come in
// the order of the pushes: a replay, or an error with a counter, is about the
// oldest push that has no answer yet, and about all of it.
//
// # Access
//
// Every subscription, every push and every delivery passes [Access.Check], in
// one place ([Session.allowed]); a space that is not allowed any more ends the
// subscription, not the connection.
package session

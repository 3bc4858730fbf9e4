// Package loadtest drives a gateway from outside, as many devices at once, and
// judges what it delivered. It knows a gateway only by its address, or by the
// program that it starts as one; the devices are clients of package client, the
// same that apps use.
//
//	history, dice ─▶ devices ─▶ watch ─▶ proxy ─▶ gateway ─▶ store
//	                    │         │                             │
//	                    ▼         ▼                             ▼
//	                 verdicts, states, deliveries              log
//	                    └─────────┴──────────── judge ◀─────────┘
//
// # What is judged
//
//   - Lost: a mutation that was acknowledged is not in the log, or its effect not
//     in the final state. Duplicated: it is there twice.
//   - Gaps: the watch, which sees every message between a device and the gateway,
//     found a commit left out or out of order, or a device was moved past a commit
//     that changed something.
//   - Diverged: a device's final state, or that of a device that joins at the end,
//     is not, bit for bit, what package oracle derives from the log.
//
// Counters, sets and the like are also compared with what follows from the
// scenario alone, whatever the timing: of a history, from its file; of random
// edits, from what was acknowledged. The oracle and this are independent of each
// other, of package merge's merging and of everything in the gateway.
//
// The log is read with `tidegate log` once the harness's own gateway has ended;
// of somebody else's gateway there is none, and the oracle stays out of it.
//
// # What is injected
//
// Chaos puts a proxy before the gateway that cuts every connection, with a reset,
// at random times, and has the watch lose every message with a verdict once, and
// its connection with it. Kills end the harness's own gateway as a power cut
// would, and start it again on the same port and store.
//
// # Who owns what
//
// A run owns a temporary directory, the proxy, the gateway's process and the
// devices, and ends all of them, however it ends. Each device has one goroutine
// that acts and one that follows its cursor; what they share is guarded by the
// lock named beside it.
package loadtest

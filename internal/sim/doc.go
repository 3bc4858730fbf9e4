// Package sim runs the whole of Tidegate, but for sockets and disks, inside one
// goroutine and under virtual time: several gateways on one store, several
// devices on their disks, and a seed that decides everything that happens.
//
// What runs is the real thing: space.Core, session.Session and client.Core, as
// they run in production. What is simulated is around them: a store that loses
// requests and replies, answers late and twice, and writes what it said it did
// not know of; connections that break without either side noticing; gateways
// that crash, pause for an hour, drain, and have wrong clocks; a bus between them
// that loses, repeats and delays what they tell each other, and cuts some of them
// off; devices that lose what was not yet synced, whose disks are copied and set
// back, and whose clocks are years off; a table that is restored from a backup; a
// log that is trimmed.
//
// After each run everything heals, and the checker compares what everybody was
// told and shown with the true log: the promises of protocol/SPEC.md, one by
// one. A failure names its seed; the same seed gives the same run, bit for bit,
// with a transcript:
//
//	go test ./internal/sim -run TestSeed -sim.seed 4711 -v
//
// That the checker would notice is proved by planting bugs: [Bugs] lists them,
// and each must be found.
//
// The idea is FoundationDB's and TigerBeetle's; the shape of the cores that makes
// it cheap is etcd-io/raft's.
package sim

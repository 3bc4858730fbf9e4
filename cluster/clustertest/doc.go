// Package clustertest is the suite that every cluster.Bus passes. It holds a bus
// to each sentence of the contract: who hears what, what a subject may be, that
// nobody waits for a receiver that is stuck, what being cut off looks like, and
// that nothing is left after the end.
//
// A bus's own test calls [Run] with a function that opens an empty fleet. It
// should run under goleak.
package clustertest

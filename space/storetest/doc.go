// Package storetest is the suite that every space.Store passes. It holds a store
// to each sentence of the contract, and to the cases between them: keys with
// zero bytes in them, tenants whose names run into each other, racing appends,
// items as large as the limits let them become.
//
// A store's own test calls [Run] with a function that opens an empty store, and
// adds what is particular to it (durability over a crash, files in use).
package storetest

// Package typescript writes a schema set as TypeScript: a type for each
// collection, with what becomes of concurrent edits in the doc comments, and the
// schema itself, so that a client checks edits before they enter its queue.
package typescript

// Package dynamo is the store on DynamoDB: all spaces in one table, which any
// number of gateways may share. It implements space.Store.
//
// # The table
//
// A partition key _p and a sort key _k, both strings, built in keys.go; no index,
// no stream, no transactions. A space has two partitions, one for its log and one
// for what stands beside it. DynamoDB serves about 1,000 write units and 3,000
// read units a second from one partition key: so checkpoints, and devices that
// read records, do not slow down the log, by which all writing to a space waits.
// A hot space is bounded by that figure for its log.
//
// # Records
//
// A record is an item with a native attribute for each field, so that a Lambda,
// the console or an export can read it. This one was written by a test:
//
//	_k        S r#tasks#0190b5a2-7c1e-7000-8000-0123456789ab
//	_m        B EAAhrWTvDKChYQaM9gSXB90zMRBCSR2AHMfaf5bkqQWtvcAQb2/RqMEi1OBN… (132 bytes)
//	_p        S items#4#acme#board
//	_v        N 1
//	address   M {city: S Graz}
//	done      BOOL false
//	due       NULL true
//	estimate  N 1.5
//	tags      L [S home, S shop]
//	title     S Buy milk
//
// _v is its version, the seq of its last change. _m is ours alone: who changed
// what when, and by which marks we know our own fields again. A deleted record
// has no fields; it goes once its tombstone lies behind the horizon. A field of
// a nested object that the schema declares has a dot in its name (address.city);
// _conflicts is the one field whose name begins with "_".
//
// A checkpoint lags behind the log by seconds: the attributes are for reading,
// the log is the truth.
//
// # What stands beside the records
//
// Devices' entries (d#…), large overwritten values (b#…), the watermark (w#) and
// the horizon (h#) have _v and _m and no fields.
//
// # The log
//
// An item for each commit, packed with zstd where that is smaller (_z) and as it
// is where not (_d), behind a format byte:
//
//	_k        S 00000000000000000001
//	_p        S log#4#acme#board
//	_z        B ECi1L/1gbAAFCQD0DxDCAZkJAcQIAAAAAAAAAAHPAAABos6L1AAAAZgApXRh… (299 bytes)
//
// [Store.Append] is one PutItem on the condition that there is no such item,
// sent once. Its outcome is one of these:
//
//   - the condition does not hold: space.ErrTaken;
//   - DynamoDB refuses (throttling, a conflicting transaction, validation, no
//     permission, no such table: all that it answers with 400), or no connection
//     comes about: certainly not written, and never will be;
//   - anything else (a timeout, a connection that ends, 5xx, an answer that cannot
//     be read or is not DynamoDB's): space.ErrUnknown. The space reads the log.
//
// Nothing here reads eventually consistently. Eventually consistent global tables
// are refused, as two regions could append the same seq.
//
// # What others write
//
// Attributes that begin with "_" are ours; do not write them. Somebody who
// changes a field's attribute has written past the log, of which devices would
// not learn. Such an edit is reported ([Config.Report]) with key and attribute,
// counted ([Store.Reports]; tidegate_store_foreign_total among a gateway's
// metrics), and left as it is:
//
//   - A checkpoint changes only the attributes of the fields that changed, on the
//     condition that they, and _v, are what was last known to be there. What that
//     is is remembered, within a budget, or read first.
//   - Once an edit is seen, the whole record as the log has it is put beside it,
//     into the attribute _o, and kept there from then on; the fields are not
//     written any more. Who has no such copy makes the record again from the log.
//   - If the edit is undone by who made it, the next checkpoint writes into the
//     fields again, and removes _o.
//   - An item whose _v or _m make no sense is reported and not written: not even
//     its version is known. Records are made again from the log whenever they are
//     needed, which takes a log that begins at 1; other items are the operator's to
//     restore. An item of ours alone (a device's entry) whose version is intact is
//     mended by the next write.
//   - An item that somebody deletes cannot be told from one that never was. Do not.
//
// # Units
//
// Every request asks what it consumed; [Store.Units] sums that up by operation,
// [Config.Observe] is told of each request. A lone edit costs its commit (a write
// unit for each KB, packed) and, seconds later, its record's item and its device's
// entry, however often they changed in between. Conditions that do not hold are
// billed like writes; DynamoDB does not say so in its answer, so that they are
// reckoned.
package dynamo

// Tidegate in TypeScript: an app's own, durable, always writable copy of the
// spaces it works in. See README.md.
export { Client, createClient } from "./client.js";
export type { ClientOptions } from "./client.js";
export type { Collection, Created } from "./collection.js";
export type { BoundDraft, CounterDraft, Draft, Drafted, ListDraft, SetDraft } from "./edit.js";
export type { Engine, EngineEvent, EngineOptions, SpaceData, SpaceOptions } from "./engine.js";
export { TideError } from "./error.js";
export type { TideErrorCode } from "./error.js";
export type { Conflict, RejectedMutation, Version } from "./inbox.js";
export type { Cursor, Mutation, Op, OpVerdict, Outcome, Precondition, RejectCode, Value, Verdict } from "./protocol/index.js";
export type { Direction, Order, OrderBy, Query, QueryOptions, Where } from "./query/index.js";
export type { Collections, Counter, Given, ListItem, ListOf, Marks, Max, Min, OneValue, Row, RowState, SetOf, Shown } from "./rows.js";
export type { Backoff } from "./reconnect.js";
export type { Made, Person, Presence, Space, Undo } from "./space.js";
export type { SpaceState, SpaceStatus, State, Stats, Status } from "./status.js";
export { indexedDBStore } from "./store/indexeddb.js";
export type { IndexedDBOptions, IndexedDBStore } from "./store/indexeddb.js";
export { memoryStore } from "./store/memory.js";
export type { MemoryStore } from "./store/memory.js";
export { StoreError } from "./store/store.js";
export type { Batch, Entry, Store, StoreErrorCode } from "./store/store.js";
export type { Transport, TransportEvents, WebSocketLike } from "./transport.js";
export type { Rules, Tx } from "./tx.js";
export type { Changes, Key, Watchable } from "./watch.js";
export { Rejected } from "./write.js";
export type { Write } from "./write.js";

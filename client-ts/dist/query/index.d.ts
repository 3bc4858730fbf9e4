export type { Direction, Order, OrderBy } from "./order.js";
export type { At, Path } from "./path.js";
export type { Query, QueryOptions } from "./query.js";
export { createTable } from "./table.js";
export type { Source, Table } from "./table.js";
export type { Condition, Operators, Where } from "./where.js";

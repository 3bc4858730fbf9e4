/** What a name is the name of, in the words of messages. A field path is properties joined with dots. */
export type NameKind = "collection name" | "record id" | "field path" | "property name" | "element id" | "position";
/**
 * Throws a ProtocolError unless s may be a name of this kind: 1 to 255 bytes of
 * UTF-8. Collections, and each property of a path, do not begin with "_" nor
 * contain ".".
 */
export declare function checkName(kind: NameKind, s: string): void;
/** Throws a ProtocolError unless s may name a space: 1 to 255 bytes of UTF-8 without control characters. */
export declare function checkSpaceName(s: string): void;

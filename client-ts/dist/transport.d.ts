/** What a transport tells. After `closed` it tells nothing. */
export interface TransportEvents {
    /** A whole message. */
    message(data: Uint8Array): void;
    /** The connection has ended: with the code that the gateway closed it with, 0 if it just broke. */
    closed(code: number, reason: string): void;
}
/** Carries messages to and from a gateway. */
export interface Transport {
    /** Sends one message. */
    send(message: Uint8Array): void;
    /** Ends the connection, without waiting for the peer. Nothing is told any more. */
    close(code: number, reason: string): void;
}
/** Makes a connection. Rejects with a TideError if there is none to be had; `signal` gives up. */
export type Dial = (events: TransportEvents, signal: AbortSignal) => Promise<Transport>;
/** What is used of a WebSocket: the platform's own, or one of a package such as ws. */
export interface WebSocketLike {
    binaryType: string;
    readonly protocol: string;
    send(data: Uint8Array): void;
    close(code?: number, reason?: string): void;
    onopen: ((event: any) => void) | null;
    onclose: ((event: any) => void) | null;
    onerror: ((event: any) => void) | null;
    onmessage: ((event: any) => void) | null;
}
export type WebSocketMaker = new (url: string, protocols: string[]) => WebSocketLike;
/** The address of a gateway's WebSocket. Throws a TideError `url`. */
export declare function syncURL(address: string): string;
/** Connects by WebSocket: `make`, or the platform's. Throws a TideError `url`. */
export declare function webSocketDialer(address: string, make?: WebSocketMaker): Dial;

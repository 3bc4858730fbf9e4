// y-websocket's own server, on a free port.
import { setupWSConnection } from "@y/websocket-server/utils";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const server = createServer();
new WebSocketServer({ server }).on("connection", setupWSConnection);
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));

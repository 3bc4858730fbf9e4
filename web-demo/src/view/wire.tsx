import { useEffect, useState } from "preact/hooks";
import type { Device } from "../device.js";
import { bytesText } from "../words.js";
import { Avatar } from "./avatar.js";

/** How often the counters are read, in milliseconds, while they are looked at. */
const pace = 500;

/** What went over the wire since the page was loaded. */
export function Wire({ devices }: { devices: readonly Device[] }) {
  const [, draw] = useState({});
  useEffect(() => {
    const timer = setInterval(() => draw({}), pace);
    return () => clearInterval(timer);
  }, []);
  return (
    <section class="panel wire" aria-label="On the wire">
      <h3>
        On the wire <span class="quiet">since the page was loaded</span>
      </h3>
      <table data-testid="wire">
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Sent</th>
            <th scope="col">Received</th>
            <th scope="col">Unpacked</th>
            <th scope="col">Commits</th>
          </tr>
        </thead>
        <tbody>
          {devices.map(({ client, user, pane }) => {
            const { stats } = client;
            const name = (
              <th scope="row">
                <Avatar user={user} /> {user}
              </th>
            );
            if (!stats) {
              return (
                <tr key={pane}>
                  {name}
                  <td colSpan={4}>another tab has the wire</td>
                </tr>
              );
            }
            const saved = stats.rawIn > 0 ? Math.round(100 * (1 - stats.bytesIn / stats.rawIn)) : 0;
            return (
              <tr key={pane}>
                {name}
                <td title={`${stats.messagesOut} messages`}>{bytesText(stats.bytesOut)}</td>
                <td title={`${stats.messagesIn} messages`}>{bytesText(stats.bytesIn)}</td>
                <td>
                  {bytesText(stats.rawIn)}
                  {saved > 0 && <span class="quiet"> −{saved} %</span>}
                </td>
                <td>{stats.commits}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

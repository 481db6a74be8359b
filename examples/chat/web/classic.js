// The same as connection.js with the classic client, that of ASP.NET SignalR.

import { delay, wait } from "./connection.js";

/**
 * connect starts a connection to the hub "chat" and returns it. It takes the same handlers as
 * the one of connection.js. Those clients have one address for all hubs; url gives the query.
 */
export function connect(url, { on, connected, showState }) {
  const query = url.slice(url.indexOf("?") + 1);
  const connection = $.hubConnection("/signalr", { useDefaultPath: false, qs: query });
  const hub = connection.createHubProxy("chat");
  for (const [method, handler] of Object.entries(on)) hub.on(method, handler);

  let attempts = 0;
  let lastError;
  let waiting = false;

  // A start that fails, and a connection that ends, both come here, some of them twice.
  async function again() {
    if (waiting) return;
    waiting = true;
    await wait(delay(attempts++));
    waiting = false;
    lastError = undefined;
    showState("connecting");
    connection.start().done(ready).fail(() => {}); // the event disconnected follows
  }

  async function ready() {
    attempts = 0;
    try {
      await connected();
    } catch (error) {
      if (connection.state === $.signalR.connectionState.connected) showState("connected", error);
      return; // else the connection was lost again, and there will be another one
    }
    showState("connected");
  }

  connection.error((error) => { lastError = error; });
  connection.reconnecting(() => showState("reconnecting"));
  connection.reconnected(() => showState("connected")); // it is the same connection, still in its rooms
  connection.disconnected(() => {
    attempts = Math.max(attempts, 1);
    showState("disconnected", lastError);
    again();
  });
  again();
  return { invoke: (method, ...args) => Promise.resolve(hub.invoke(method, ...args)) };
}
